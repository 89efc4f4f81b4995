"""Plain English, as the embedded planner reads it: tables of words, and rules that ask back rather than guess."""
