"""Made-up rows with the shape of the abalone data, so that the tests need no download."""
import random


def rows(count, seed=0):
    """`count` rows as text: sex, seven measures that go with age, rings."""
    dice = random.Random(seed)
    made = []
    for _ in range(count):
        age = dice.uniform(1, 20)
        length = 0.1 + age * 0.03 + dice.gauss(0, 0.02)
        weight = max(0.01, length**3 * 4 + dice.gauss(0, 0.01))
        measures = [length, length * 0.8, length * 0.3, weight, weight * 0.4, weight * 0.2, weight * 0.3]
        made.append([dice.choice("MFI")] + ["%.4f" % value for value in measures] + [str(round(age) + 1)])
    return made


def write(path, made):
    """The rows as UCI publishes them: no header."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(",".join(row) + "\n" for row in made), encoding="utf-8")
