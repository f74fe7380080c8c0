"""The command line of `grade`."""

import argparse
import os
import sys
from importlib import import_module
from pathlib import Path

from . import GradeError
from .sandbox import KINDS


def parser(text: str) -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="grade", usage=text, add_help=False)
    top.add_argument("-h", "--help", action="store_true")
    commands = top.add_subparsers(dest="command", prog="grade")

    def add(name: str, *arguments: str, **options) -> argparse.ArgumentParser:
        p = commands.add_parser(name, **options)
        for argument in arguments:
            p.add_argument(argument)
        return p

    p = add("test")
    p.add_argument("what", nargs="?", metavar="TASK or ASSIGNMENT")
    p.add_argument("--case", help="one case alone, by its name in assignment.toml")
    p.add_argument("--seed", type=natural, help="of the inputs")
    p.add_argument("--tries", type=positive, default=1, help="so many seeds, until one fails")
    p = add("bench")
    p.add_argument("what", nargs="?", metavar="TASK or ASSIGNMENT")
    p = add("hint", "task")
    p.add_argument("--all", action="store_true", help="every level")
    p = add("pack")
    p.add_argument("what", nargs="?", metavar="ASSIGNMENT")
    p.add_argument("--out", type=Path, help="the archive's name")
    add("list")
    p = add("starter", "assignment")
    p.add_argument("folder", type=Path)
    for name in ("submissions", "one"):
        p = add(name, "assignment")
        p.add_argument("path", type=Path)
        p.add_argument("--isolation", choices=("auto", *KINDS), default="auto")
        p.add_argument("--without-isolation", action="store_true",
                       help="grade although programs can read and delete your files")
        if name == "submissions":
            p.add_argument("--out", type=Path, help="where results go; DIR-graded by default")
            p.add_argument("--jobs", type=positive,
                           help="submissions at a time; one for each processor by default")
        else:
            p.add_argument("out", type=Path)
            p.add_argument("--metadata", type=Path, help="Gradescope's submission_metadata.json")
    p = add("gradescope", "assignment")
    p.add_argument("out", nargs="?", type=Path)
    p = add("github", "assignment")
    p.add_argument("folder", type=Path)
    p = add("student-repository")
    p.add_argument("folder", type=Path)
    p = add("nbgrader-csv", "assignment")
    p.add_argument("graded", type=Path)
    p.add_argument("--out", type=Path, help="default: the terminal")
    add("secrets")
    p = add("verify")
    p.add_argument("assignments", nargs="*")
    p.add_argument("--jobs", type=positive)
    return top


def natural(text: str) -> int:
    if not text.isdecimal() or int(text) >= 1 << 62:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number from 0 on")
    return int(text)


def positive(text: str) -> int:
    if natural(text) < 1:
        raise argparse.ArgumentTypeError("it must be 1 or more")
    return int(text)


def staff(module: str):
    """A module that a starter does not have."""
    try:
        return import_module(f"{__package__}.{module}")
    except ModuleNotFoundError:
        raise GradeError("this command is the staff's; a starter does not have it") from None


def has_staff() -> bool:
    """A starter has none."""
    return Path(__file__).with_name("verify.py").is_file()


def of_a_student(text: str) -> str:
    """The usage without the staff's commands, which a starter does not have."""
    before, _, after = text.partition("The staff:")
    return before + after.partition("\n\n")[2].partition("\n\n")[2]


def run(args) -> int:
    from . import assignment, starter, student
    match args.command:
        case "test":
            return 1 if student.run_tests(args.what, args.case, args.seed, args.tries) else 0
        case "bench":
            return student.bench(args.what)
        case "hint":
            return student.hint(args.task, args.all)
        case "pack":
            return student.pack(args.what, args.out)
        case "list":
            return student.list_all()
        case "starter":
            print(starter.write(assignment.find(args.assignment), args.folder))
            return 0
        case "submissions":
            return staff("submissions").grade_all(assignment.find(args.assignment), args)
        case "one":
            return staff("submissions").grade_one(assignment.find(args.assignment), args)
        case "secrets":
            return staff("own_secrets").renew(assignment.all_assignments())
        case "gradescope":
            return staff("gradescope").write(assignment.find(args.assignment), args.out)
        case "github":
            return staff("github").write(assignment.find(args.assignment), args.folder)
        case "student-repository":
            return staff("student_repository").write(args.folder)
        case "nbgrader-csv":
            return staff("submissions").nbgrader_csv(assignment.find(args.assignment), args.graded,
                                                     args.out)
        case _:
            return staff("verify").run(args.assignments, args.jobs)


def main(text: str) -> int:
    args = parser(text).parse_args()
    try:
        if args.help or not args.command:
            print(text if has_staff() else of_a_student(text))
            status = 0
        else:
            status = run(args)
        sys.stdout.flush()
        return status
    except GradeError as error:
        print(f"grade: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # `| head`: nobody reads on, and nothing more is to be flushed
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 2
    except KeyboardInterrupt:
        print("\ngrade: stopped", file=sys.stderr)
        return 130
