"""The main job as code decides it: request, market data, evaluation, job port, trials, ledger and result."""
