"""What commands print: progress, result summary, trace tree."""
