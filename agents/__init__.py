"""The agents, and what runs them: `declarations/` has one module per agent, `table` collects them as `AGENTS`.

To add an agent, add a module to `declarations/` (its title, tools, answer type, limits, rule of the embedded planner),
its prompt to `prompts/`, the node that asks it to `graphs/optimization.py`, and a test. Its setting, progress, titles,
usage and warnings come from the table; `make docs` lists its setting in docs/settings.md.
"""
