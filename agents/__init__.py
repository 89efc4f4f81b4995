"""The four agents, the way they are built, and the embedded planner that can drive them all."""
