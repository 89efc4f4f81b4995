"""The agents, one declaration per module, and what runs them: `build`, `models/`, `planner/`, `recording/`.

To add an agent, add its prompt to `prompts/`, its name to `desk.governance.usage.AgentName`, and a module here that
calls `build` with its tools, its answer type and its limits; `graphs/optimization.py` decides when it runs. Its rule
for the embedded planner is in `agents.planner.planner.ROLES`, its setting in `api.settings`, its progress in
`desk.runs.progress`, its label in `desk.optimization.partial_results` and `api.cli.output.progress`.
"""
