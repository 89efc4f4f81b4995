"""Rules of the templates, one module per subject; `infra.checks.run.RULES` lists them."""
