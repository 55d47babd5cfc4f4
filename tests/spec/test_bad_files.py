"""Every bad study file gives one line: file, line, field, what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from stability.errors import StabilityError
from stability.spec import load_study, parse_study

GOOD = """\
name: s
space:
  loss: [minimax, hinge]
  lr: {low: 1e-4, high: 1e-2, log: true}
design: {points: 4}
"""

# (text of the file, line, field, a part of the message)
BAD = [
    ("", 1, "", "the file is empty"),
    ("# only a comment\n", 1, "", "the file is empty"),
    ("[1, 2]", 1, "", "must be a mapping (key: value), not a list"),
    ("just words", 1, "", 'not "just words"'),
    ("a: b: c", 1, "", "not valid YAML: mapping values are not allowed here"),
    ("name: s\nspace: {lr: [1,\n", 3, "", "not valid YAML"),
    ("name: s\n\tdataset: mnist", 2, "", "not valid YAML"),
    ("name: s\nfixed: {lr: *there}", 2, "", "undefined alias"),
    ("name: s\nfixed: &a {lr: 1}\nspace: *a", 2, "fixed", "anchors and aliases"),
    ("name: s\n---\nname: t", 2, "", "but found another document"),
    ("name: s\ndataset: \x07", 2, "", 'character "\\u0007" is not allowed'),
    ("name: !foo s", 1, "name", "tags such as !foo are not supported"),
    ("name: s\nspace: !!set {lr}", 2, "space", "are not supported"),
    ("name: s\nfixed:\n  lr: !!float x", 3, "fixed.lr", '"x" cannot be read as float'),
    ("%YAML 1.1\n---\nname: s\nfixed: {beta1: yes}", 4, "fixed.beta1", "cannot be read as bool"),
    ("name: s\nname: t", 2, "name", "given twice, first on line 1"),
    ("name: s\nfixed:\n  lr: 1\n  width: 8\n  lr: 2", 5, "fixed.lr", "given twice, first on line 3"),
    ("? [a]\n: 1", 1, "", "a key must be a word"),
    ("name: " + "[" * 20 + "]" * 20, 1, "name", "nested too deeply"),
    ("name: " + "[" * 1500, 1, "", "nested too deeply"),
    ("dataset: mnist", 1, "", "name is missing"),
    ("name: a b", 1, "name", "must be text of 1 to 64 letters"),
    ("name: ../up", 1, "name", "must be text of 1 to 64 letters"),
    ("name: " + "z" * 99, 1, "name", 'not "' + "z" * 56 + "..."),
    ('name: "a\\u2028b"', 1, "name", 'not "a\\u2028b"'),
    ("name: 7", 1, "name", "not 7"),
    ("name: ~", 1, "name", "not null"),
    ("name: s\nspaec: {}", 2, "spaec", 'unknown key "spaec"; did you mean "space"? allowed: name, dataset'),
    ('name: s\n"a\\nb": 1', 2, "a\\nb", "unknown key"),
    ("name: s\ndataset: minst", 2, "dataset", 'did you mean "mnist"?'),
    ("name: s\ndataset: 'folder:'", 2, "dataset", "folder:PATH"),
    ("name: s\ndataset: [mnist]", 2, "dataset", "not a list"),
    ("name: s\nfixed: {architecture: 'a b:pair'}", 2, "fixed.architecture", "package.module:pair, not"),
    ("name: s\nfixed: {architecture: 'os:'}", 2, "fixed.architecture", "must be one of mlp, dcgan"),
    ("name: s\nfixed: {architecture: '../x:pair'}", 2, "fixed.architecture", "must be one of mlp, dcgan"),
    ("name: s\nfixed: {architecture: 'x:pair\\n'}", 2, "fixed.architecture", "must be one of mlp, dcgan"),
    ("name: s\nfixed: {architecture: dirac}", 2, "fixed.architecture", "which has images, not points"),
    ("name: s\ndataset: ring\nfixed: {architecture: dcgan}", 3, "fixed.architecture", "points, not images"),
    (
        "name: s\ndataset: ring\nspace:\n  architecture: [mlp, unpool]",
        4,
        "space.architecture",
        "unpool does not fit dataset ring, which has points, not images; allowed: mlp, maxout, dirac",
    ),
    ("name: s\nfixed: {spectral_norm: 1}", 2, "fixed.spectral_norm", "must be true or false, not 1"),
    (
        "name: s\nspace: {spectral_norm: {low: 0, high: 1}}",
        2,
        "space.spectral_norm",
        "a list of true and false",
    ),
    ("name: s\nfixed: {penalty: r3}", 2, "fixed.penalty", "one of none, gradient-penalty"),
    ("name: s\nfixed: {loss: sgan}", 2, "fixed.loss", 'did you mean "sngan"?'),
    ("name: s\nfixed: {accuracy_bar: 0.4}", 2, "fixed.accuracy_bar", "of at least 0.5 and below 1"),
    ("name: s\nfixed: {label_smoothing: 1.0}", 2, "fixed.label_smoothing", "below 1"),
    ("name: s\nfixed: {instance_noise: .inf}", 2, "fixed.instance_noise", "must be a number"),
    ("name: s\nfixed: {train_size: 1}", 2, "fixed.train_size", "of at least 2"),
    ("name: s\nfixed: {packing: 17}", 2, "fixed.packing", "at most 16"),
    ("name: s\nfixed: {optimizer: adamw}", 2, "fixed.optimizer", 'did you mean "adam"?'),
    ("name: s\nfixed: {input_range: [0, 255]}", 2, "fixed.input_range", "a single value"),
    ("name: s\nrecording: {keep_weights: yes please}", 2, "recording.keep_weights", "true or false"),
    ("name: s\nimage_size: 30", 2, "image_size", "must be one of 28, 32, 64, not 30"),
    ("name: s\nimage_size: 28.5", 2, "image_size", "one of 28, 32, 64, not 28.5"),
    ("name: s\nimage_size: 28.0", 2, "image_size", "one of 28, 32, 64, not 28.0"),
    ("name: s\nimage_size:", 2, "image_size", "not null"),
    ("name: s\nimage_size: true", 2, "image_size", "not true"),
    ("name: s\nimage_size: [28]", 2, "image_size", "not a list"),
    ("name: s\nimage_size: {a: 1}", 2, "image_size", "not a mapping"),
    ("name: s\nimage_size: '32'", 2, "image_size", 'not "32"'),
    ("name: s\nfixed: {image_size: 32}", 2, "fixed.image_size", "unknown parameter"),
    ("name: s\nspace: [lr]", 2, "space", "must be a mapping (key: value), not a list"),
    ("name: s\noutcomes:\n", 2, "outcomes", "must be a mapping (key: value), not null"),
    ("name: s\nfixed: 3", 2, "fixed", "must be a mapping (key: value), not 3"),
    ("name: s\nspace:\n  learn_rate: [1]", 3, "space.learn_rate", "unknown parameter"),
    ("name: s\nfixed:\n  lr_ratoi: 1", 3, "fixed.lr_ratoi", 'did you mean "lr_ratio"?'),
    ("name: s\nfixed: {recipe: wgan-gp}", 2, "fixed.recipe", "unknown parameter"),
    ("name: s\nspace: {lr: 1e-3}", 2, "space.lr", "a single value goes under fixed"),
    ("name: s\nspace: {lr: ~}", 2, "space.lr", "must be a list to choose from"),
    ("name: s\nspace: {lr: []}", 2, "space.lr", "must not be empty"),
    ("name: s\nspace:\n  lr: [1, 2,\n    1.0]", 4, "space.lr", "1.0 is in the list twice"),
    ("name: s\nspace: {loss: [hinge, hinge]}", 2, "space.loss", '"hinge" is in the list twice'),
    ("name: s\nspace:\n  loss:\n  - hinge\n  - hinqe", 5, "space.loss", 'not "hinqe"; did you mean "hinge"?'),
    ("name: s\nspace: {loss: [wgan-pg]}", 2, "space.loss", 'did you mean "wgan-gp"?'),
    ("name: s\nspace: {loss: {low: 1, high: 2}}", 2, "space.loss", "must be a list, each one of minimax"),
    ("name: s\nspace: {batchnorm: [~, generator]}", 2, "space.batchnorm", "not null"),
    (
        "name: s\nspace: {beta1: [0.5, 1]}",
        2,
        "space.beta1",
        "must be a number of at least 0 and below 1, not 1",
    ),
    ("name: s\nspace: {width: [8, true]}", 2, "space.width", "a whole number of at least 8"),
    ("name: s\nspace: {width: [8, 9.5]}", 2, "space.width", "not 9.5"),
    (
        "name: s\nspace:\n  lr: {low: 0, high: 1, log: true}",
        3,
        "space.lr.low",
        "0 must be positive when log is",
    ),
    (
        "name: s\nspace:\n  beta1: {low: 0.0, high: 0.5, log: true}",
        3,
        "space.beta1.low",
        "must be positive when",
    ),
    ("name: s\nspace: {lr: {low: 0, high: 1}}", 2, "space.lr.low", "must be a number above 0, not 0"),
    ("name: s\nspace:\n  lr:\n    low: 2\n    high: 1", 4, "space.lr.low", "2 must be below high, 1"),
    ("name: s\nspace: {lr: {low: 1, high: 1}}", 2, "space.lr.low", "1 must be below high, 1"),
    ("name: s\nspace: {lr: {low: 1}}", 2, "space.lr", "high is missing; a range needs both"),
    ("name: s\nspace: {lr: {high: 1}}", 2, "space.lr", "low is missing; a range needs both"),
    (
        "name: s\nspace: {lr: {}}",
        2,
        "space.lr",
        "low is missing; a range needs both low and high (and 1 more)",
    ),
    ("name: s\nspace: {beta1: {low: 0, high: 1}}", 2, "space.beta1.high", "below 1, not 1"),
    ("name: s\nspace: {lr_ratio: {low: -1, high: 1}}", 2, "space.lr_ratio.low", "above 0, not -1"),
    ("name: s\nspace: {lr: {low: '1', high: 2}}", 2, "space.lr.low", 'not "1"'),
    (
        "name: s\nspace: {weight_clip: {low: ~, high: 2}}",
        2,
        "space.weight_clip.low",
        "must be a number, not null",
    ),
    ("name: s\nspace: {width: {low: 8, high: 16.0}}", 2, "space.width.high", "a whole number"),
    ("name: s\nspace: {lr: {low: 1, high: 2, log: 1}}", 2, "space.lr.log", "must be true or false, not 1"),
    ("name: s\nspace: {lr: {low: 1, high: 2, levels: 1}}", 2, "space.lr.levels", "of at least 2, not 1"),
    ("name: s\nspace: {lr: {low: 1, high: 2, levels: ~}}", 2, "space.lr.levels", "not null"),
    ("name: s\nspace: {lr: {low: 1, high: 2, levles: 3}}", 2, "space.lr.levles", 'did you mean "levels"?'),
    ("name: s\nspace: {width: {low: 8, high: 9, integer: true}}", 2, "space.width.integer", "unknown key"),
    ("name: s\nspace: {lr: {low: .nan, high: 2}}", 2, "space.lr.low", "not .nan"),
    ("name: s\nspace: {lr: {low: 1, high: .inf}}", 2, "space.lr.high", "not .inf"),
    ("name: s\nfixed: {lr: true}", 2, "fixed.lr", "must be a number above 0, not true"),
    ("name: s\nfixed: {lr: '3'}", 2, "fixed.lr", 'not "3"'),
    ("name: s\nfixed: {beta1: -.inf}", 2, "fixed.beta1", "not -.inf"),
    ("name: s\nfixed: {lr: ~}", 2, "fixed.lr", "not null"),
    ("name: s\nfixed: {lr: 2023-01-01}", 2, "fixed.lr", 'not "2023-01-01"'),
    ("name: s\nfixed: {n_dis: 101}", 2, "fixed.n_dis", "of at least 1 and at most 100, not 101"),
    ("name: s\nfixed: {width: 3.7}", 2, "fixed.width", "not 3.7"),
    ("name: s\nfixed: {width: 7}", 2, "fixed.width", "of at least 8 and at most 4096, not 7"),
    ("name: s\nfixed: {width: " + "9" * 30 + "}", 2, "fixed.width", "cannot be read as int"),
    ("name: s\nfixed: {lr: " + "9" * 5000 + "}", 2, "fixed.lr", "cannot be read as int"),
    ("name: s\nfixed: {width: [8, 16]}", 2, "fixed.width", "a range to sample from goes under space"),
    ("name: s\nfixed: {architecture: dcgna}", 2, "fixed.architecture", 'did you mean "dcgan"?'),
    ("name: s\nfixed: {weight_clip: 0}", 2, "fixed.weight_clip", "a number above 0 or null, not 0"),
    ("name: s\nspace: {lr: [1]}\nfixed:\n  lr: 1", 4, "fixed.lr", "is in space, too"),
    (
        "name: s\ndesign: {sampelr: sobol}",
        2,
        "design.sampelr",
        'unknown key "sampelr"; did you mean "sampler"?',
    ),
    ("name: s\ndesign: {sampler: soobl}", 2, "design.sampler", 'did you mean "sobol"?'),
    ("name: s\ndesign: {points: 0}", 2, "design.points", "of at least 1 and at most 100000, not 0"),
    ("name: s\ndesign: {points: 4.0}", 2, "design.points", "not 4.0"),
    (
        "name: s\ndesign: {seeds: two}",
        2,
        "design.seeds",
        'a whole number of at least 1 and at most 1000, not "two"',
    ),
    ("name: s\ndesign: {seed: -1}", 2, "design.seed", "not -1"),
    ("name: s\ndesign: {cross: loss}", 2, "design.cross", 'must be a list, each text, not "loss"'),
    ("name: s\ndesign: {cross: {a: 1}}", 2, "design.cross", "not a mapping"),
    ("name: s\ndesign: {cross: ~}", 2, "design.cross", "not null"),
    ("name: s\ndesign: {cross: [3]}", 2, "design.cross", "must be text, not 3"),
    (
        "name: s\nspace: {loss: [hinge]}\ndesign:\n  cross:\n  - loss\n  - loss",
        6,
        "design.cross",
        "in the list twice",
    ),
    (GOOD + "fixed: {loss: hinge}", 6, "fixed.loss", "is in space, too"),
    (
        "name: s\nspace: {lr: {low: 1, high: 2}}\ndesign: {cross: [lr]}",
        3,
        "design.cross",
        "space holds no list",
    ),
    (
        "name: s\nspace: {width: [8]}\ndesign: {cross: [loss]}",
        3,
        "design.cross",
        '"loss" is not a list under space',
    ),
    ("name: s\ndesign: {sampler: tpe}", 2, "design.sampler", "tpe needs something to search"),
    ("name: s\nspace: {lr: {low: 1, high: 2}}\ndesign: {sampler: grid}", 2, "space.lr", "levels is missing"),
    (
        "name: s\nspace: {width: {low: 8, high: 9, levels: 3}}\ndesign: {sampler: grid}",
        2,
        "space.width.levels",
        "3 is more than there are values",
    ),
    (
        "name: s\nspace: {width: [8, 9]}\ndesign: {sampler: grid, points: 3}",
        3,
        "design.points",
        "3 is not the size of the grid, 2",
    ),
    (
        "name: s\nspace: {lr: {low: 1, high: 2, levels: 999}, beta1: {low: 0, high: .9, levels: 999}}\n"
        "design: {sampler: grid}",
        2,
        "space",
        "the grid has 998001 points",
    ),
    ("name: s\ntraining: {stpes: 3}", 2, "training.stpes", 'did you mean "steps"?'),
    ("name: s\ntraining: {steps: 0}", 2, "training.steps", "not 0"),
    (
        "name: s\ntraining: {cohort_size: ~}",
        2,
        "training.cohort_size",
        "a whole number of at least 1, not null",
    ),
    ("name: s\ntraining: {stop_on: [colapsed]}", 2, "training.stop_on", 'did you mean "collapsed"?'),
    ("name: s\nrecording: {every: false}", 2, "recording.every", "not false"),
    ("name: s\nrecording: {samples: 8}", 2, "recording.samples", "of at least 16"),
    ("name: s\nrecording: {samples: 10001, final_samples: 50000}", 2, "recording.samples", "at most 10000"),
    (
        "name: s\nrecording:\n  samples: 4096",
        3,
        "recording.samples",
        "4096 must be at most final_samples, 2048",
    ),
    ("name: s\noutcomes: {persits: 3}", 2, "outcomes.persits", 'did you mean "persist"?'),
    ("name: s\noutcomes: {good_precision: 1.5}", 2, "outcomes.good_precision", "at most 1, not 1.5"),
    ("name: s\noutcomes: {persist: [3]}", 2, "outcomes.persist", "not a list"),
]


@pytest.mark.parametrize(("text", "line", "field", "words"), BAD)
def test_a_bad_file_is_told_in_one_line(text: str, line: int, field: str, words: str) -> None:
    with pytest.raises(StabilityError) as caught:
        parse_study(text)
    message = str(caught.value)
    assert message.splitlines() == [message]
    assert message.startswith(f"study.yaml:{line}: " + (f"{field}: " if field else ""))
    assert words in message
    assert "pydantic" not in message.lower()


def test_the_list_of_bad_files_is_long() -> None:
    assert len(BAD) >= 60


def test_the_first_problem_in_the_file_is_told_and_the_others_counted() -> None:
    text = "name: s\ntraining: {steps: -1}\nfixed: {lr: -1}\nspace:\n  loss: [hinqe]\n"
    with pytest.raises(StabilityError, match=r"^study.yaml:2: training.steps: .* \(and 2 more\)$"):
        parse_study(text)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("training.stpes=3", '--set training.stpes: unknown key "stpes"; did you mean "steps"?'),
        ("traning.steps=3", '--set traning: unknown key "traning"; did you mean "training"?'),
        ("training.steps", "--set training.steps: must be written key.key=value"),
        ("training..steps=3", "--set training..steps: must be written key.key=value"),
        ("=3", "--set : must be written key.key=value"),
        ("training.steps=many", '--set training.steps: must be a whole number of at least 1'),
        ("training.steps=[1", "--set training.steps: not valid YAML"),
        ("training.steps=", "--set training.steps: must be a whole number"),
        ("training.steps.more=1", "--set training.steps.more: training.steps is 9, which has no keys to set"),
        ("space.loss.low=1", "--set space.loss.low: space.loss is a list, which has no keys to set"),
        ("space.lr.low=1", "--set space.lr.low: 1 must be below high, 0.01"),
        ("space.lr={low: 1, high: 0.5}", "--set space.lr.low: 1 must be below high, 0.5"),
        ("fixed.lr=1", "--set fixed.lr: is in space, too"),
        ("fixed.width=&a 3", "--set fixed.width: anchors and aliases"),
    ],
)  # fmt: skip
def test_a_bad_override_is_told_by_its_own_name(override: str, words: str) -> None:
    with pytest.raises(StabilityError) as caught:
        parse_study(GOOD + "training: {steps: 9}\n", overrides=[override])
    message = str(caught.value)
    assert message.splitlines() == [message]
    assert message.startswith(words)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    latin = tmp_path / "latin.yaml"
    latin.write_bytes(b"name: s\ndataset: \xe9\n")
    large = tmp_path / "large.yaml"
    large.write_bytes(b"#" * 1_000_001)
    for path, words in [
        (tmp_path / "none.yaml", "none.yaml: no such file"),
        (tmp_path, ": is a directory"),
        (latin / "below.yaml", "below.yaml: cannot be read: Not a directory"),
        (latin, "latin.yaml:2: not UTF-8: byte 0xe9"),
        (large, "large.yaml: is larger than 1 MB"),
    ]:
        with pytest.raises(StabilityError) as caught:
            load_study(path)
        assert words in str(caught.value)
        assert str(caught.value).startswith(str(path))
        assert "\n" not in str(caught.value)
