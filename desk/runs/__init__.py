"""State around an execution: run context, trace events, progress, stored decisions and cached answers."""
