"""Learning rate factors of transformers, for LearningRateScheduleTest.

    pip install --no-deps transformers==5.17.0
    python bench/peft/schedules.py > \
      training-core/src/test/resources/dev/anneal/training/optim/schedules.json

The factors are those of the functions that transformers.optimization.get_scheduler hands to
LambdaLR. They are plain arithmetic, so they are taken out of the file by name and run without
torch, which the file imports.
"""

import ast
import importlib.metadata
import importlib.util
import json
import math
import pathlib
import sys

STEPS = [0, 1, 2, 3, 4, 7, 10, 25, 33, 49, 50, 66, 75, 79, 80, 81, 90, 99, 100, 101, 130]
WARMUPS = [0, 4, 10]
TOTAL = 100


def functions(file):
    """The schedules' lambdas; of two with one name the later, as Python has it."""
    tree = ast.parse(pathlib.Path(file).read_text())
    wanted = [n for n in tree.body if isinstance(n, ast.FunctionDef) and "lambda" in n.name]
    for function in wanted:
        function.returns = None
        for argument in function.args.args + function.args.kwonlyargs:
            argument.annotation = None
    names = {"math": math}
    exec(compile(ast.Module(wanted, []), file, "exec"), names)
    return names


def main():
    if len(sys.argv) > 1:
        file, version = sys.argv[1], sys.argv[2]
    else:
        package = importlib.util.find_spec("transformers").submodule_search_locations[0]
        file = package + "/optimization.py"
        version = importlib.metadata.version("transformers")
    found = functions(file)
    cases = []

    def case(type_, function, options, **arguments):
        for warmup in WARMUPS:
            factors = [
                [s, found[function](s, num_warmup_steps=warmup, **arguments)] for s in STEPS
            ]
            cases.append({"type": type_, "warmup_steps": warmup, **options, "factors": factors})

    whole = {"num_training_steps": TOTAL}
    case("linear", "_get_linear_schedule_with_warmup_lr_lambda", {}, **whole)
    case("cosine", "_get_cosine_schedule_with_warmup_lr_lambda", {}, num_cycles=0.5, **whole)
    case("constant", "_get_constant_schedule_with_warmup_lr_lambda", {})
    for ratio in [0, 0.1, 0.5]:
        case(
            "cosine_with_min_lr",
            "_get_cosine_schedule_with_warmup_lr_lambda",
            {"min_lr_ratio": ratio},
            num_cycles=0.5,
            min_lr_rate=ratio,
            **whole,
        )
    for cycles in [1, 2, 5]:
        case(
            "cosine_with_restarts",
            "_get_cosine_with_hard_restarts_schedule_with_warmup_lr_lambda",
            {"cycles": cycles},
            num_cycles=cycles,
            **whole,
        )
    for decay_type in ["linear", "cosine", "1-sqrt"]:
        for ratio in [0, 0.1]:
            for warmup in WARMUPS:
                factors = [
                    [
                        s,
                        found["_get_wsd_scheduler_lambda"](
                            s,
                            num_warmup_steps=warmup,
                            num_stable_steps=TOTAL - warmup - 20,
                            num_decay_steps=20,
                            warmup_type="linear",
                            decay_type=decay_type,
                            min_lr_ratio=ratio,
                            num_cycles=0.5,
                        ),
                    ]
                    for s in STEPS
                ]
                cases.append(
                    {
                        "type": "warmup_stable_decay",
                        "warmup_steps": warmup,
                        "min_lr_ratio": ratio,
                        "decay_steps": 20,
                        "decay_type": decay_type,
                        "factors": factors,
                    }
                )
    lines = ",\n".join(json.dumps(c) for c in cases)
    print('{"transformers": "%s", "total_steps": %d, "cases": [\n%s\n]}' % (version, TOTAL, lines))


main()
