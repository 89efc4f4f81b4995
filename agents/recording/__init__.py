"""Cassettes of Amazon Bedrock calls: `recorder` writes them, `player` matches and replays them, `scrubbing` masks."""
