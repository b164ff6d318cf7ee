"""VOCABULARY: frozen values that the other rooms speak in; no behaviour beyond arithmetic and refusal."""
