"""A child process of the command line that SIGINT interrupts."""

INTERRUPTIBLE = """
import runpy, signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have set it to be ignored
runpy.run_module("api", run_name="__main__", alter_sys=True)
"""
