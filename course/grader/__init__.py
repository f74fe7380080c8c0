"""The grader of the course: what `course/grade` does, one subject per file (course/README.md)."""

VERSION = "1"


class GradeError(Exception):
    """What went wrong, with what to do, for the person at the terminal."""
