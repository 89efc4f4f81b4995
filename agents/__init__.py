"""The agents, one declaration per module, and what runs them: `build`, `models/`, `planner/`, `recording/`.

To add an agent, add its prompt to `prompts/`, its name to `desk.governance.usage.AgentName`, and a module here that
calls `build` with its tools, its answer type and its limits; `graphs` decides when it runs.
"""
