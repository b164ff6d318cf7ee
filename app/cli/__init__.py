"""The command line: a second face over the same use cases. `jifendai COMMAND --help` says what each does.

Neighbours may rely on this: what is asked for goes to standard output, everything else to standard error; the exit
code is 0 when it was done (a decline is an answer), 1 when what was given has faults, 2 for a command that does not
exist, 3 when the installation is not ready. What a command does not need is not imported, so that each starts quickly.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import date, datetime
from pathlib import Path
from typing import Any

from app.cli.commands import command as _command
from app.cli.commands import group as _group
from app.cli.commands import in_module as _in
from app.cli.installation import DONE, NOT_READY, Refused, say
from app.cli.keys import key_commands, token_commands
from app.settings import SettingsRefused
from app.usecases.days import SHANGHAI

DECISION_FILTERS = (
    "lender", "branch", "zone", "product", "stage", "outcome", "reason", "decisive", "assumption", "exception",
    "campaign", "uscc", "application_id", "score_min", "score_max", "requested_min", "requested_max",
    "credit_limit_min", "credit_limit_max", "decided_from", "decided_until", "recorded_from", "recorded_until",
)  # fmt: skip
"""What a search may ask for, as options; a test holds these to the contract's filters."""

_NAMES_AN_INSTALLATION = {"JIFENDAI_SIGNING_KEY_FILE", "JIFENDAI_LOG_NAME", "JIFENDAI_DATABASE_URL"}


def main(arguments: Sequence[str] | None = None) -> int:
    """This function will carry out one command and return its exit code."""
    options = _parser().parse_args(arguments)
    try:
        return options.carry_out(options) or DONE
    except Refused as refused:
        say(*refused.lines)
        return refused.code
    except SettingsRefused as refused:
        say(*refused.faults)
        if not _NAMES_AN_INSTALLATION & os.environ.keys():
            say("", "To try it out 试用: make run, or JIFENDAI_DEMO=1 jifendai …")
        return NOT_READY
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read our output has gone; Python would complain once more when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except Exception as error:
        lines = _not_ready(error)
        if lines is None:
            raise
        say(*lines)
        return NOT_READY


def _not_ready(error: Exception) -> Sequence[str] | None:
    """What keeps the installation from working, in words; None for a fault of ours."""
    from sqlalchemy.exc import OperationalError

    from app.adapters.platform_files import PlatformsRefused
    from app.adapters.signing import SigningKeyError
    from app.products.faults import CatalogueError
    from app.usecases.ports import StoreUnavailable
    from app.usecases.self_check import LogsNotSoundError

    if isinstance(error, CatalogueError):
        return ("The catalogue has faults 产品目录有误:", *map(str, error.faults))
    if isinstance(error, PlatformsRefused):
        return ("The score platforms' files have faults 积分平台文件有误:", *error.faults)
    if isinstance(error, SigningKeyError):
        return (str(error),)
    if isinstance(error, LogsNotSoundError):
        said = (line for found in error.findings for line in (found.en, f"    {found.zh}"))
        return ("The service does not start: the logs do not fit what was signed. 日志与签名不符，拒绝启动:", *said)
    if isinstance(error, StoreUnavailable | OperationalError):
        cause = str(getattr(error, "orig", error)).strip().partition("\n")[0]
        return ("The database cannot be reached: check JIFENDAI_DATABASE_URL. 无法连接数据库", cause)
    return None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="jifendai",
        description="Jifendai 积分贷: decides innovation-points loans on the bank's side 银行侧的创新积分贷决策服务",
        epilog="Settings are environment variables JIFENDAI_…, see docs/operations.md 设置均为环境变量",
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _service_commands(commands)
    _catalogue_commands(commands)
    key_commands(commands)
    token_commands(commands)
    _log_commands(commands, _verify_commands(commands))
    _score_commands(commands)
    _platform_commands(commands)
    _campaign_commands(commands)
    _epoch_commands(commands)
    _retention_commands(commands)
    _webhook_commands(commands)
    _pool_commands(commands)
    return parser


def _service_commands(commands: Any) -> None:
    _command(commands, "serve", _in("serving", "serve"), "启动服务", "run the service")
    _command(
        commands, "migrate", _in("serving", "bring_up_to_date"), "升级数据库表结构",
        "bring the database to the newest tables; `serve` does it too",
    )  # fmt: skip
    doctor = _command(
        commands, "doctor", _in("doctor", "examine"), "检查部署并给出处理办法",
        "examine the deployment and say what to do; exit code 3 where something has to be done",
    )  # fmt: skip
    doctor.add_argument("--json", action="store_true", help="for programs 供程序读取")
    decide = _command(
        commands, "decide", _in("deciding", "decide"), "对申请作出决策并入账，无需启动服务",
        "decide an application and record it as the API does; no server is needed",
    )  # fmt: skip
    decide.add_argument("application", metavar="FILE", help="the application as the API takes it, or - 申请 JSON 文件")
    decide.add_argument("--preview", action="store_true", help="decide nothing, only show 只试算，不作决策")
    decide.add_argument("--on", type=_day, metavar="DATE", help="with --preview: on that day's terms 按该日条款")
    decide.add_argument("--key", type=_idempotency_key, help="Idempotency-Key: the same gets the same answer 幂等键")
    example = _command(
        commands, "example", _in("deciding", "example"), "输出今日可用的申请示例",
        "write an application that works today, to begin with",
    )  # fmt: skip
    example.add_argument("name", nargs="?", default="pre-approved", help="pre-approved, referred, declined … 示例名")
    example.add_argument("--output", type=Path, metavar="FILE", help="into this file 输出到文件")
    replay = _command(
        commands, "replay", _in("replaying", "replay_recorded"), "重算已记录的决策并逐字节比对",
        "decide recorded decisions again and compare the bytes",
    )  # fmt: skip
    replay.add_argument("id", nargs="*", metavar="ID", help="decision ids; all if absent 决策编号，缺省为全部")
    replay.add_argument("--since", type=_since, metavar="DAY", help="recorded since this day or instant 自此日或时刻起")
    replay.add_argument("--processes", type=_processes, metavar="N", help="at once; every core if absent 并行进程数")
    _backup_commands(commands)
    history = _command(
        commands, "demo-data", _in("demo_data", "demo_data"), "为空的演示环境生成历史决策",
        "fill an empty demonstration with a plausible history",
    )  # fmt: skip
    history.add_argument("--decisions", type=_decisions, default=10_000, metavar="N", help="how many 决策数")
    history.add_argument("--seed", type=_size, default=1, metavar="N", help="the same seed, the same history 随机种子")
    openapi = _command(commands, "openapi", _in("catalogue", "openapi"), "输出接口契约", "write the contract in YAML")
    openapi.add_argument("--output", type=Path, metavar="FILE", help="into this file 输出到文件")


def _backup_commands(commands: Any) -> None:
    backup = _command(
        commands, "backup", _in("backing_up", "backup"), "备份内嵌数据库，无需停止服务",
        "write the embedded database into a new file, while a service goes on",
    )  # fmt: skip
    backup.add_argument("file", type=Path, metavar="FILE", help="is not written over 目标文件，不覆盖")
    restore = _command(
        commands, "restore", _in("backing_up", "restore"), "核对外部检查点后恢复备份，原数据库另存",
        "put a backup in the database's place, held to checkpoints kept elsewhere; what was there is kept aside",
    )  # fmt: skip
    restore.add_argument("file", type=Path, metavar="FILE", help="as `jifendai backup` wrote it 备份文件")
    restore.add_argument(
        "--checkpoint", type=Path, action="append", default=[], metavar="FILE",
        help="kept elsewhere, repeatable; those in JIFENDAI_OUTSIDE_CHECKPOINTS are taken too 另行保存的检查点，可重复",
    )  # fmt: skip
    restore.add_argument(
        "--vkey", action="append", default=[], metavar="KEY", help="the logs' public keys; its own if absent 验证公钥"
    )
    restore.add_argument("--anyway", action="store_true", help="although something does not hold 即使核验不符也恢复")


def _catalogue_commands(commands: Any) -> None:
    products = _group(commands, "products", "产品文件", "product files")
    check = _command(
        products, "check", _in("catalogue", "check"), "检查产品目录并指出每处错误",
        "name every fault of a catalogue with file, line, what and how to mend it",
    )  # fmt: skip
    check.add_argument("folder", type=Path, nargs="?", metavar="DIR", help="JIFENDAI_CATALOGUE_DIR if absent 文件夹")
    schema = _command(
        products, "schema", _in("catalogue", "schema"), "输出供编辑器使用的 JSON Schema",
        "write JSON Schemas by which editors complete product files",
    )  # fmt: skip
    schema.add_argument("kind", nargs="?", help="product, lender, zone, codes, lpr or holidays; all if absent 种类")
    schema.add_argument("--output", type=Path, metavar="FILE", help="into this file 输出到文件")
    catalogue = _group(commands, "catalogue", "目录版本", "the edition that decides")
    _command(
        catalogue, "activate", _in("catalogue", "activate"), "启用 JIFENDAI_CATALOGUE_DIR 中的目录",
        "let the catalogue in JIFENDAI_CATALOGUE_DIR decide from now on",
    )  # fmt: skip


def _epoch_commands(commands: Any) -> None:
    log = _group(commands, "log", "日志", "a new epoch after a restore that lost records; the marks of searches")
    _command(
        log, "reindex", _in("demo_data", "reindex"), "由日志重建检索与统计所用的标记",
        "make what searches and statistics use anew from the logs, and say what differed",
    )  # fmt: skip
    ask = _command(
        log, "new-epoch", _in("log_epochs", "new_epoch"), "恢复后丢失记录时，申请以新纪元延续日志",
        "after a restore that lost records: ask that the logs go on under a new name",
    )  # fmt: skip
    ask.add_argument("--reason", required=True, help="what happened; it stays on record 发生了什么，将记录在案")
    opens = _command(
        log, "open-epoch", _in("log_epochs", "open_it"), "由另一人开启所申请的新纪元",
        "open what another person has asked for",
    )  # fmt: skip
    opens.add_argument("id", metavar="ID", help="as `jifendai log new-epoch` printed it 申请编号")
    for command in (ask, opens):
        command.add_argument(
            "--api-key-file", type=Path, metavar="FILE",
            help="an operator's or auditor's API key says who acts; the account if absent 以 API 密钥表明身份",
        )  # fmt: skip


def _platform_commands(commands: Any) -> None:
    platforms = _group(commands, "platforms", "积分平台", "the zones' score platforms")
    check = _command(
        platforms, "check", _in("platforms", "check"), "检查平台文件并指出每处错误",
        "name every fault of a folder's files with file, line, what and how to mend it",
    )  # fmt: skip
    check.add_argument("folder", type=Path, nargs="?", metavar="DIR", help="JIFENDAI_PLATFORMS_DIR if absent 文件夹")
    schema = _command(
        platforms, "schema", _in("platforms", "schema"), "输出平台文件的 JSON Schema，供编辑器补全与检查",
        "write the JSON Schema by which editors complete and check a platform's file",
    )  # fmt: skip
    schema.add_argument("--output", type=Path, metavar="FILE", help="into this file 输出到文件")
    ask = _command(
        platforms, "ask", _in("platforms", "ask"), "查询一家企业，显示映射后的积分或拒绝原因",
        "ask about one company and show the score that the mapping makes of the answer, or why there is none",
    )  # fmt: skip
    ask.add_argument("zone", metavar="ZONE", help="such as fuxin 高新区代码")
    ask.add_argument("company", metavar="USCC", help="its unified social credit code 统一社会信用代码")
    simulator = _command(
        commands, "platform-simulator", _in("platforms", "simulate"), "启动模拟积分平台，可按需模拟任何故障",
        "run a simulated score platform, which does any fault on request",
    )  # fmt: skip
    simulator.add_argument("--port", type=_port, default=8090, metavar="PORT", help="8090 if absent 端口")
    simulator.add_argument(
        "--fault", action="append", default=[], metavar="WHO=FAULT",
        help="a company, a zone or *, repeatable, such as fuxin=HANG 按企业、区或全部模拟故障，可重复",
    )  # fmt: skip


def _verify_commands(commands: Any) -> Any:
    verify = _group(commands, "verify", "核验", "evidence, checked without believing the service")
    receipt = _command(
        verify, "receipt", _in("verifying", "receipt"), "离线核验一份回执",
        "check a receipt offline, with nothing but the log's public key",
    )  # fmt: skip
    receipt.add_argument("receipt", type=Path, metavar="FILE", help="as /v1/decisions/ID/receipt gives it 回执文件")
    receipt.add_argument("--vkey", required=True, metavar="KEY", help="from `jifendai keys verifiers` 日志的验证公钥")
    which = receipt.add_mutually_exclusive_group()
    which.add_argument("--record", type=Path, metavar="FILE", help="the record's bytes, unconverted 记录的原始字节")
    which.add_argument("--leaf-hash", metavar="HEX", help="or its audit_record.leaf_hash 或答复中的 leaf_hash")
    database = _command(
        verify, "database", _in("verifying", "database"), "核验数据库中的全部日志，指出每处不符",
        "hash every record of the database again and name whatever does not fit what was signed",
    )  # fmt: skip
    database.add_argument(
        "--checkpoint", type=Path, action="append", default=[], metavar="FILE",
        help="a checkpoint kept elsewhere, or a folder of them, repeatable 外部保存的检查点或其文件夹，可重复",
    )  # fmt: skip
    database.add_argument(
        "--vkey", action="append", default=[], metavar="KEY",
        help="only the logs of these keys, repeatable; the installation's own if absent 验证公钥，缺省为本安装的密钥",
    )  # fmt: skip
    return verify


def _score_commands(commands: Any) -> None:
    scores = _group(commands, "scores", "创新积分", "innovation scores")
    sheet = _command(
        scores, "import", _in("scores", "import_sheet"), "导入高新区的积分情况表，先试运行",
        "take a zone's sheet of scores in, after a trial run",
    )  # fmt: skip
    sheet_options(sheet)
    sheet.add_argument("--lender", required=True, metavar="LENDER", help="for whom 为哪家机构")
    sheet.add_argument("--reference", metavar="TEXT", help="where the sheet is from 来源，如文号")
    sheet.add_argument("--yes", action="store_true", help="take the good rows; a trial run without it 正式导入")
    sheet.add_argument("--mend", type=Path, metavar="FILE", help="where the bad rows go, XLSX 有误的行另存到")


def _pool_commands(commands: Any) -> None:
    pools = _group(commands, "pools", "风险补偿资金池", "risk-compensation pools")
    shown = _command(pools, "show", _in("pools", "show"), "显示资金池余量与占用", "show room, sums and holdings")
    shown.add_argument("pool", nargs="?", metavar="ZONE/POOL", help="all of them if absent 缺省为全部")
    for name, zh, en in (
        ("statement", "登记外部资金池管理人报表", "record what the manager of an external pool states"),
        ("confirm", "登记管理人对补偿额的确认", "record the manager's confirmation of cover for a line"),
    ):
        record = _command(pools, name, _in("pools", name), zh, en)
        record.add_argument("pool", metavar="ZONE/POOL", help="such as 例如 zhongkai/illustration")
        record.add_argument("file", metavar="FILE", help="the body as the API takes it, or - 与接口相同的 JSON 文件")
        record.add_argument("--key", type=_idempotency_key, help="the same gets the same answer 幂等键")


def _campaign_commands(commands: Any) -> None:
    campaign = _group(commands, "campaign", "预授信活动", "pre-approval campaigns")
    run = _command(
        campaign, "run", _in("campaign", "run"), "以表格名单测算并运行预授信活动，生成营销清单",
        "forecast and run a campaign whose list is a sheet, and write its outreach sheet",
    )  # fmt: skip
    sheet_options(run)
    run.add_argument(
        "--product", required=True, action="append", metavar="PRODUCT", help="repeatable, of one lender 产品，可重复"
    )
    run.add_argument("--amount", required=True, metavar="YUAN", help="where a row has none 每家申请的金额，元")
    run.add_argument("--tenor-months", type=int, default=12, metavar="N", help="12 if absent 期限（月）")
    run.add_argument("--purpose", default="daily-operation", metavar="CODE", help="daily-operation if absent 用途代码")
    run.add_argument("--name", metavar="TEXT", help="the file's name if absent 活动名称")
    run.add_argument("--outreach", type=Path, metavar="FILE", help="where the outreach sheet goes 营销清单")
    run.add_argument("--forecast-only", action="store_true", help="decide nothing 仅测算")


def sheet_options(parser: argparse.ArgumentParser) -> None:
    """This function will add what every command that reads a sheet asks for."""
    parser.add_argument("file", type=Path, metavar="FILE", help="XLSX or CSV 积分情况表")
    parser.add_argument("--zone", required=True, metavar="ZONE", help="the zone's code 高新区代码")
    parser.add_argument("--scheme", metavar="SCHEME", help="where the zone has several 积分体系代码")
    parser.add_argument("--as-of", metavar="DAY", help="where no column tells the scores' day 评价日期")


def _log_commands(commands: Any, verify: Any) -> None:
    export = _group(commands, "export", "导出", "copies for others")
    log = _command(
        export, "log", _in("exporting_log", "export"), "把整个日志导出为 C2SP tlog-tiles，可增量续传",
        "write a whole log as C2SP tlog-tiles; repeated, it goes on where it was",
    )  # fmt: skip
    decisions = _command(
        export, "decisions", _in("exporting_decisions", "export"), "导出查到的决策为 CSV、XLSX、Parquet 或 JSON 行",
        "write the decisions that a search finds as CSV, XLSX, Parquet or JSON lines",
    )  # fmt: skip
    decisions.add_argument("--format", help="csv, xlsx, parquet or jsonl; by --output if absent 文件格式")
    decisions.add_argument("--output", type=Path, metavar="FILE", help="into this file 输出到文件")
    for name in DECISION_FILTERS:
        decisions.add_argument(f"--{name.replace('_', '-')}", metavar="VALUE", help=f"as {name} in the API 筛选条件")
    rows = _command(
        verify, "rows", _in("verifying_rows", "rows"), "以日志核验导出的决策文件",
        "check a file of exported decisions, row by row, against the log in the database",
    )  # fmt: skip
    rows.add_argument("file", type=Path, metavar="FILE", help=".csv, .xlsx, .jsonl or .parquet 导出的文件")
    rows.add_argument(
        "--vkey", action="append", default=[], metavar="KEY",
        help="the logs' public keys, repeatable; the installation's own if absent 验证公钥，缺省为本安装的密钥",
    )  # fmt: skip
    log.add_argument("lender", help="whose log, or operator 机构代码，或 operator")
    log.add_argument("--to", type=Path, required=True, metavar="DIR", help="the folder, one for each log 目标文件夹")
    log.add_argument("--since", type=_size, metavar="SIZE", help="only what a copy of so many lacks 只导出其后部分")
    exported = _command(
        verify, "export", _in("verifying_log", "export"), "离线核验导出的日志",
        "check an exported log offline: every record, every tile, the signed root",
    )  # fmt: skip
    exported.add_argument("folder", type=Path, metavar="DIR", help="as `jifendai export log` wrote it 导出的文件夹")
    exported.add_argument("--since", type=_size, default=0, metavar="SIZE", help="earlier ones may be missing 此前可缺")
    exported.add_argument(
        "--allow-pruned", action="store_true", help="records without bytes are no fault 允许记录内容已按保存期清除"
    )
    grown = _command(
        verify, "log", _in("verifying_log", "log"), "核验日志自某检查点起只增未改",
        "check that a log has only grown since checkpoints that were kept",
    )  # fmt: skip
    grown.add_argument("--url", help="of a running service, such as http://127.0.0.1:8000 运行中的服务地址")
    grown.add_argument("--proof", type=Path, metavar="FILE", help="without --url: as /consistency answers 一致性证明")
    grown.add_argument("--key-file", type=Path, metavar="FILE", help="the API key; else JIFENDAI_API_KEY 密钥文件")
    grown.add_argument("--save", type=Path, metavar="FILE", help="keep the newest checkpoint here 保存最新检查点")
    for command in (exported, grown):
        command.add_argument(
            "--vkey", action="append", required=True, metavar="KEY", help="the log's public key, repeatable 验证公钥"
        )
        command.add_argument(
            "--checkpoint", type=Path, action="append", default=[], metavar="FILE",
            help="a checkpoint kept elsewhere, repeatable 另行保存的检查点，可重复",
        )  # fmt: skip


def _retention_commands(commands: Any) -> None:
    retention = _group(commands, "retention", "保存期限", "how long records are kept")
    _command(
        retention, "plan", _in("retaining", "plan"), "显示今日可清除与被保全的项目",
        "show what may be pruned today, and what is held",
    )  # fmt: skip
    prune = _command(
        retention, "prune", _in("retaining", "prune"), "清除保存期已满的项目，叶哈希保留",
        "remove what was kept for its time; leaf hashes stay, and every proof verifies",
    )  # fmt: skip
    prune.add_argument("--yes", action="store_true", help="it cannot be undone 确认，不可恢复")
    hold = _command(
        retention, "hold", _in("retaining", "hold"), "保全：暂缓清除某企业或某决策",
        "hold a company's cases, or one decision's, back from pruning",
    )  # fmt: skip
    of = hold.add_mutually_exclusive_group(required=True)
    of.add_argument("--company", metavar="USCC", help="the company's code 统一社会信用代码")
    of.add_argument("--decision", metavar="ID", help="one decision 决策编号")
    release = _command(retention, "release", _in("retaining", "release"), "解除保全", "release a hold")
    release.add_argument("id", metavar="HOLD", help="as `retention hold` showed it 保全编号")
    for command in (hold, release):
        command.add_argument("--reason", required=True, help="why, for the record 事由")
        command.add_argument("--person", help="by whose word; this account if absent 提出人，缺省为当前账户")


def _webhook_commands(commands: Any) -> None:
    webhooks = _group(commands, "webhooks", "事件推送", "where lenders' events go, and what became of them")
    create = _command(
        webhooks, "create", _in("webhooks", "create"), "新建接收端点并显示密钥",
        "add an endpoint; its secret is shown once",
    )  # fmt: skip
    create.add_argument("--lender", required=True, help="whose events 机构代码")
    create.add_argument("--url", required=True, help="where they are posted 接收地址")
    _command(webhooks, "list", _in("webhooks", "list_all"), "列出接收端点及待投递数", "show every endpoint")
    update = _command(webhooks, "update", _in("webhooks", "update"), "更改接收端点", "change an endpoint")
    update.add_argument("--url", help="where they are posted 接收地址")
    for command in (create, update):
        command.add_argument("--description", help="what it is for 用途")
        command.add_argument(
            "--event", action="append", default=[], metavar="TYPE", help="repeatable; all if absent 事件类型，可重复"
        )
    enable = _command(webhooks, "enable", _in("webhooks", "enable"), "启用", "send to it again")
    disable = _command(webhooks, "disable", _in("webhooks", "disable"), "停用，事件保留", "send nothing; it stays owed")
    delete = _command(webhooks, "delete", _in("webhooks", "delete"), "删除接收端点", "remove it with all it is owed")
    delete.add_argument("--yes", action="store_true", help="what is owed is lost 确认，未投递的事件将丢失")
    rotate = _command(webhooks, "rotate", _in("webhooks", "rotate"), "更换签名密钥", "make a new secret, shown once")
    rotate.add_argument("--overlap", type=_overlap, default=24, metavar="HOURS", help="0 to 168 新旧并用小时数")
    test = _command(webhooks, "test", _in("webhooks", "test"), "发送测试事件", "send a test event")
    listed = _command(webhooks, "deliveries", _in("webhooks", "deliveries"), "投递记录", "what it is owed, and was")
    listed.add_argument("--state", choices=("PENDING", "DELIVERED", "DEAD"), help="only those 只看此状态")
    listed.add_argument("--limit", type=_processes, default=50, metavar="N", help="the newest N 最近几项")
    replay = _command(webhooks, "replay", _in("webhooks", "replay"), "重放死信或某一事件", "send dead letters again")
    for command in (update, enable, disable, delete, rotate, test, listed, replay):
        command.add_argument("id", metavar="ENDPOINT", help="as `webhooks list` shows it 接收端点编号")
    replay.add_argument("event_id", nargs="?", metavar="EVENT", help="every dead letter if absent 缺省为全部死信")


def _overlap(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text[:4]) <= 168):
        raise argparse.ArgumentTypeError("hours, 0 to 168 须为 0 至 168 小时")
    return int(text)


def _decisions(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= 10_000_000):
        raise argparse.ArgumentTypeError("a whole number, 1 to 10000000 须为 1 至 10000000 的整数")
    return int(text)


def _size(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise argparse.ArgumentTypeError("a number of records 记录条数")
    return int(text)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= 65_535):
        raise argparse.ArgumentTypeError("a port, 0 for any free one 端口")
    return int(text)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError("a date such as 2026-11-20 日期形如 2026-11-20") from None


def _since(text: str) -> datetime:
    """A day begins in Shanghai."""
    with suppress(ValueError):
        found = datetime.fromisoformat(text)
        return found if found.tzinfo is not None else found.replace(tzinfo=SHANGHAI)
    raise argparse.ArgumentTypeError("a day such as 2026-11-20 or an instant such as 2026-11-20T02:10:00Z 日期或时刻")


def _processes(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= 256):
        raise argparse.ArgumentTypeError("a whole number of processes, 1 to 256 进程数须为 1 至 256 的整数")
    return int(text)


def _idempotency_key(text: str) -> str:
    if not (1 <= len(text) <= 255 and all("!" <= character <= "~" for character in text) and text[0] != '"'):
        raise argparse.ArgumentTypeError("1 to 255 visible ASCII characters 1 至 255 个可见 ASCII 字符")
    return text
