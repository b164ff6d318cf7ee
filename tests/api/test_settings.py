"""Settings, and the well-known mistakes that are refused by name."""

import os
import stat
from pathlib import Path

import pytest

from app.adapters.signing import make_key_file
from app.main import create_app
from app.settings import DEMO_LOG_NAME, Settings, SettingsRefused


def production(folder: Path, **changes: str) -> dict[str, str]:
    """This function will return an environment that production may run with, but for the changes."""
    data = folder / "data"
    data.mkdir(mode=0o700, exist_ok=True)
    key = folder / "key.pem"
    if not key.exists():
        make_key_file(key)
    sound = {
        "JIFENDAI_DATA_DIR": str(data), "JIFENDAI_SIGNING_KEY_FILE": str(key),
        "JIFENDAI_LOG_NAME": "bank.example/jifendai",
    }  # fmt: skip
    return sound | {f"JIFENDAI_{name}": value for name, value in changes.items()}


class TestSettings:
    def test_of_nobody_are_local_and_embedded(self):
        settings = Settings.from_environment({})

        assert (settings.host, settings.port, settings.demo) == ("127.0.0.1", 8000, False)
        assert settings.database_url == "sqlite:///var/jifendai.db"

    def test_put_the_embedded_database_into_the_data_folder(self, tmp_path: Path):
        assert (
            Settings.from_environment({"JIFENDAI_DATA_DIR": str(tmp_path)}).database_url
            == f"sqlite:///{tmp_path}/jifendai.db"
        )

    def test_that_are_sound_are_taken(self, tmp_path: Path):
        Settings.from_environment(production(tmp_path)).check()

    @pytest.mark.parametrize(
        ("name", "value"), [("PORT", "eighty"), ("PORT", "65536"), ("PORT", "-1"), ("DEMO", "yes")]
    )
    def test_that_mean_nothing_are_refused_by_name(self, name: str, value: str):
        with pytest.raises(SettingsRefused, match=f"JIFENDAI_{name}"):
            Settings.from_environment({f"JIFENDAI_{name}": value})

    @pytest.mark.parametrize(("written", "meant"), [
        ("RATE_LIMITS", "RATE_LIMIT"), ("OUTSIDE_CHECKPOINT", "OUTSIDE_CHECKPOINTS"), ("DATABSE_URL", "DATABASE_URL"),
        ("TOKEN_ISSUSER", "TOKEN_ISSUER"), ("FORWARDED_ALLOW_IP", "FORWARDED_ALLOW_IPS"), ("DEMOO", "DEMO"),
    ])  # fmt: skip
    def test_almost_of_a_name_are_refused_with_the_name_that_is_meant(self, written: str, meant: str):
        with pytest.raises(SettingsRefused, match=f"JIFENDAI_{written}: .* JIFENDAI_{meant} "):
            Settings.from_environment({f"JIFENDAI_{written}": "1"})

    def test_of_other_programs_are_their_own_affair(self):
        others = ("API_KEY", "REQUIRE_ALL", "TEST_DATABASE_URL", "SOAK", "SOAK_REPLAYS", "SOAK_DECISIONS", "CHROMIUM")

        Settings.from_environment({f"JIFENDAI_{name}": "1" for name in others})

    def test_of_a_demonstration_need_nothing_else(self, tmp_path: Path):
        settings = Settings.from_environment({"JIFENDAI_DEMO": "1", "JIFENDAI_DATA_DIR": str(tmp_path / "new")})

        settings.check()
        assert settings.log_name == DEMO_LOG_NAME
        assert settings.key_file.parent == tmp_path / "new"


class TestAMistake:
    @pytest.mark.parametrize(
        ("changes", "name"),
        [
            ({"SIGNING_KEY_FILE": ""}, "JIFENDAI_SIGNING_KEY_FILE"),
            ({"SIGNING_KEY_FILE": "/nowhere/key.pem"}, "JIFENDAI_SIGNING_KEY_FILE"),
            ({"LOG_NAME": ""}, "JIFENDAI_LOG_NAME"),
            ({"LOG_NAME": DEMO_LOG_NAME}, "JIFENDAI_LOG_NAME"),
            ({"LOG_NAME": "two words"}, "JIFENDAI_LOG_NAME"),
            ({"LOG_NAME": "a+b"}, "JIFENDAI_LOG_NAME"),
            ({"CATALOGUE_DIR": "/nowhere"}, "JIFENDAI_CATALOGUE_DIR"),
            ({"FORWARDED_ALLOW_IPS": "*"}, "JIFENDAI_FORWARDED_ALLOW_IPS"),
            ({"FORWARDED_ALLOW_IPS": "10.0.0.7, 0.0.0.0/0"}, "JIFENDAI_FORWARDED_ALLOW_IPS"),
            ({"FORWARDED_ALLOW_IPS": "::/0"}, "JIFENDAI_FORWARDED_ALLOW_IPS"),
            ({"FORWARDED_ALLOW_IPS": "proxy.bank.example"}, "JIFENDAI_FORWARDED_ALLOW_IPS"),
        ],
    )
    def test_is_refused_by_name_and_told_how_to_mend_in_both_languages(
        self, tmp_path: Path, changes: dict[str, str], name: str
    ):
        with pytest.raises(SettingsRefused) as refused:
            create_app(Settings.from_environment(production(tmp_path, **changes)))

        (fault,) = refused.value.faults
        assert fault.startswith(name)
        assert any("一" <= character <= "鿿" for character in fault)

    @pytest.mark.parametrize("proxies", ["", "10.0.0.7", "10.0.0.7, 10.1.0.0/24,::1"])
    def test_is_not_to_name_proxies(self, tmp_path: Path, proxies: str):
        assert Settings.from_environment(production(tmp_path, FORWARDED_ALLOW_IPS=proxies)).faults() == ()

    def test_of_a_demonstration_on_a_real_log_is_refused(self, tmp_path: Path):
        with pytest.raises(SettingsRefused, match=r"JIFENDAI_DEMO: .* JIFENDAI_LOG_NAME"):
            Settings.from_environment(production(tmp_path, DEMO="1"))

    @pytest.mark.parametrize(("place", "name"), [("data", "DATA_DIR"), ("key.pem", "SIGNING_KEY_FILE")])
    def test_of_leaving_something_open_to_all_is_refused(self, tmp_path: Path, place: str, name: str):
        environment = production(tmp_path)
        os.chmod(tmp_path / place, stat.S_IMODE((tmp_path / place).stat().st_mode) | stat.S_IROTH)

        with pytest.raises(SettingsRefused, match=f"JIFENDAI_{name}"):
            Settings.from_environment(environment).check()

    def test_is_named_together_with_every_other(self, tmp_path: Path):
        faults = Settings.from_environment({"JIFENDAI_DATA_DIR": str(tmp_path)}).faults()

        assert any("SIGNING_KEY" in fault for fault in faults)
        assert any("LOG_NAME" in fault for fault in faults)
