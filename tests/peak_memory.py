"""Peak memory of a process, as programs that tests start can print it."""

PEAK = """
def peak_megabytes():
    import pathlib, resource
    status = pathlib.Path("/proc/self/status")
    if status.exists():  # the peak of getrusage is inherited from the process that started this one
        return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM")) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
"""
