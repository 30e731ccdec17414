"""A step as a program: writes a model card. Copy the folder to `plugins/` of the data folder to have it.

From a Jenkinsfile:  modelCard(model: 'abalone', metrics: 'evaluation.json', best: 6.0)
From YAML:           uses: modelCard, with: { model: abalone, metrics: evaluation.json, best: 6.0 }
"""

import json
import pathlib
import sys


def tell(**message):
    """One message is one line of standard output."""
    print(json.dumps(message), flush=True)


def main():
    asked = json.load(sys.stdin)
    arguments = asked["arguments"]
    source = pathlib.Path(asked["workspace"], arguments["metrics"])
    try:
        metrics = json.loads(source.read_text())
    except (OSError, ValueError) as error:
        tell(result="failure", message=f"{arguments['metrics']} cannot be read: {error}")
        return
    tell(log=f"{len(metrics)} metrics of {arguments['model']}")
    # Writing the same file twice does no harm, which is what the delivery `at-least-once` asks for.
    card = pathlib.Path(asked["artifacts"], "model-card.md")
    card.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"# {arguments['model']}", "", f"Build {asked['build']['pipeline']} #{asked['build']['number']}", ""]
    lines += [f"- {name}: {value}" for name, value in metrics.items()]
    card.write_text("\n".join(lines) + "\n")
    tell(outputs={"path": "model-card.md", "metrics": metrics})
    name, first = next(iter(metrics.items()), (None, None))
    if name and arguments.get("best") is not None and first > arguments["best"]:
        tell(result="unstable", message=f"{name} is {first}, worse than {arguments['best']}")


main()
