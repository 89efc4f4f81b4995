"""Conversations: turns, their answers in the background, interrupts, and AG-UI."""
