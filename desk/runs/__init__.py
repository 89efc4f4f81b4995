"""What an execution receives and leaves: run context, trace events, progress, decisions, cached answers."""
