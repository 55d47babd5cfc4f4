"""Study files that are wrong on purpose: YAML's traps, encodings, sizes, names, numbers, code."""

from __future__ import annotations

from stability.spec.config import PARAMETERS, Config

NAME = "must be text of 1 to 64 letters"
NOT_YAML = "not valid YAML"
ANCHORS = "anchors and aliases"
TAGS = "are not supported"
ARCHITECTURE = "must be one of mlp, dcgan"
LAUGHS = "a: &a [x, x, x]\n" + "".join(
    f"{new}: &{new} [*{old}, *{old}, *{old}, *{old}, *{old}, *{old}, *{old}, *{old}]\n"
    for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)

Case = tuple[str | bytes, int, str, str]

SYNTAX: list[Case] = [
    ("name: 's", 1, "", NOT_YAML),
    ('name: "s\\q"', 1, "", "found unknown escape character"),
    ('name: "\\U99999999"', 1, "", NOT_YAML),
    ('name: "\\xZZ"', 1, "", NOT_YAML),
    ("name: s\n  dataset: mnist", 2, "", NOT_YAML),
    ("name: s\n dataset: mnist\nspace: {}", 2, "", NOT_YAML),
    ("name: s\nspace:\n\tlr: [1]", 3, "", NOT_YAML),
    ("name: s\nspace: {lr: [1, 2}", 2, "", NOT_YAML),
    ("name: s\nspace: }", 2, "", NOT_YAML),
    ("name: s\nspace: ]", 2, "", NOT_YAML),
    ("name: s\nspace: @here", 2, "", NOT_YAML),
    ("name: s\nspace: `ls`", 2, "", NOT_YAML),
    ("name: s\nspace: %x", 2, "", NOT_YAML),
    ("name: s\nfixed\n", 3, "", NOT_YAML),
    ("name: s\n...\nname: t", 3, "", NOT_YAML),
    ("%YAML 9.9\n---\nname: s", 1, "", NOT_YAML),
    ("%YAML x\n---\nname: s", 1, "", NOT_YAML),
    ("%TAG !e!\n---\nname: s", 1, "", NOT_YAML),
    ("name: s\nfixed: !e!x {}", 2, "", "undefined tag handle"),
    ("- name: s", 1, "", "must be a mapping"),
    ("42", 1, "", "not 42"),
    ("~", 1, "", "the file is empty"),
    ("name: s\n? {a: 1}\n: 2", 2, "", "a key must be a word"),
    ("name: s\n0x: 1", 2, "0x", "unknown key"),
    ("name: s\nfixed: {lr: 1, lr: 2}", 2, "fixed.lr", "given twice, first on line 2"),
    ("name: s\n'name': t", 2, "name", "given twice"),
    ("name: s\nspace:\n  lr: {low: 1, low: 2, high: 3}", 3, "space.lr.low", "given twice"),
]

ALIASES: list[Case] = [
    ("name: &n s", 1, "name", ANCHORS),
    ("&n name: s", 1, "", ANCHORS),
    ("name: s\nfixed: &f\n  lr: 1", 2, "fixed", ANCHORS),
    ("name: s\nspace:\n  <<: *all", 3, "space.<<", ANCHORS),
    ("name: s\nspace: {<<: {lr: [1]}}", 2, "space.<<", 'unknown parameter "<<"'),
    ("name: s\n<<: {dataset: ring}", 2, "<<", 'unknown key "<<"'),
    ("name: s\nfixed: &f [*f]", 2, "fixed", ANCHORS),
    (LAUGHS, 1, "a", ANCHORS),
    ("name: s\nspace: {lr: [&x 1, *x]}", 2, "space.lr", ANCHORS),
    ("name: &a s\ndataset: &a ring", 1, "name", ANCHORS),
    ("*" + "a" * 5000, 1, "", ANCHORS),
]

TAGGED: list[Case] = [
    ("name: !!python/object/apply:os.system [id]", 1, "name", TAGS),
    ("name: !!python/object:os.system {}", 1, "name", TAGS),
    ("name: !!python/name:os.system s", 1, "name", TAGS),
    ("name: !!python/module:os s", 1, "name", TAGS),
    ("!!python/object/new:type {}", 1, "", TAGS),
    ("!!python/name:os.system name: s", 1, "name", TAGS),
    ("name: !!binary aGk=", 1, "name", TAGS),
    ("name: s\nspace: !!omap [lr: 1]", 2, "space", TAGS),
    ("name: s\nspace: !<tag:evil,2000:x> {}", 2, "space", TAGS),
    ("name: s\nfixed: {lr: !!int x}", 2, "fixed.lr", "cannot be read as int"),
    ("name: s\nfixed: {lr: !!null x, beta1: !!bool 1}", 2, "fixed.beta1", "cannot be read as bool"),
    ("name: !!str 7 7", 1, "name", NAME),
    ("name: !" + "x" * 5000 + " s", 1, "name", "..."),
]

ENCODINGS: list[Case] = [
    ("name: s\n".encode("utf-16"), 1, "", "not UTF-8: byte 0xff"),
    ("name: s\n".encode("utf-16-be"), 1, "", 'character "\\u0000" is not allowed'),
    ("name: s\n".encode("utf-32"), 1, "", "not UTF-8: byte 0xff"),
    (b"name: s\n# caf\xe9\n", 2, "", "not UTF-8: byte 0xe9"),
    (b"\xef\xbb\xbf\xff\xfe", 1, "", "not UTF-8: byte 0xff"),
    (b"\xef\xbb\xbf\xef\xbb\xbfname: s\nspaec: {}", 2, "spaec", "unknown key"),
    (b"name: s\x00\n", 1, "", 'character "\\u0000" is not allowed'),
    (b"\x00" * 100, 1, "", "is not allowed"),
    (b"\x7fELF\x02\x01\x01\x00", 1, "", "is not allowed"),
    (b"PK\x03\x04\x14\x00", 1, "", "is not allowed"),
    (b"\x89PNG\r\n\x1a\n", 1, "", "not UTF-8: byte 0x89"),
    (b"\x80\x04\x95\x10cposix\nsystem\n", 1, "", "not UTF-8: byte 0x80"),
    (b"name: s\n# \xed\xa0\x80\n", 2, "", "not UTF-8: byte 0xed"),
    (b"name: \xc0\xaf", 1, "", "not UTF-8: byte 0xc0"),
    ("name: s\n# \x1b[31mred", 2, "", 'character "\\u001b" is not allowed'),
]

SIZES: list[Case] = [
    ("name: s\nspace:\n  lr: [" + "1," * 120_000 + "]", 3, "space.lr", "is longer than 500 values"),
    ("name: s\nspace:\n  lr: " + str(list(range(1, 30_000))), 3, "space.lr", "is longer than 500 values"),
    ("name: s\nspace:\n  lr:\n" + "  - 1\n" * 30_000, 504, "space.lr", "is longer than 500 values"),
    ("name: s\nspace: {lr: [" + "[1]," * 50_000 + "]}", 2, "space.lr", "is longer than 500 values"),
    ("".join(f"k{key}: 1\n" for key in range(20_000)), 501, "", "is longer than 500 keys"),
    ("name: s\nfixed: {" + "a," * 100_000 + "}", 2, "fixed", "is longer than 500 keys"),
    (f"name: s\nspace: {[list(range(249))] * 100}", 2, "space", "more than 10000 keys and values"),
    (
        "name: s\nspace:\n"
        + "".join(
            f"  {name}: {[place / 1000 for place in range(1, 500)]}\n"
            for name in PARAMETERS
            if isinstance(Config.model_fields[name].default, float)
        ),
        2,
        "space",
        "values, more than 4000",
    ),
    ("name: s\nspace: " + "{a: " * 5000, 2, "space" + ".a" * 14, "nested too deeply"),
    ("name: s\nspace: " + "{" * 100_000, 2, "space", "nested too deeply"),
    ("- " * 100_000, 1, "", "nested too deeply"),
    ("? " * 100_000, 1, "", "nested too deeply"),
    ("[" * 240_000, 1, "", "nested too deeply"),
    ("name: " + "z" * 200_000, 1, "name", NAME),
    ("name: s\n" + "k" * 900 + ": 1", 2, "k" * 57 + "...", "unknown key"),
    ("name: s\nfixed: {'" + "k" * 1_000 + "': 1}", 2, "fixed." + "k" * 57 + "...", "unknown parameter"),
    ("name: s\ndataset: '" + "\\n" * 50_000 + "'", 2, "dataset", "must be one of mnist"),
    ("name: s\nfixed: {architecture: " + "a" * 9000 + ":b}", 2, "fixed.architecture", ARCHITECTURE),
    ("name: s\nfixed: {architecture: '" + "a." * 9000 + "a:b'}", 2, "fixed.architecture", ARCHITECTURE),
    ("name: s\ndesign: {points: 100000, seeds: 1000}", 2, "design", "100000000 runs (points x crossed"),
    ("name: s\ndesign: {points: 99999999}", 2, "design.points", "at most 100000"),
    (
        "name: s\nspace: {lr: {low: 1, high: 2, levels: 9999999999}}\ndesign: {sampler: grid}",
        2,
        "space.lr.levels",
        "at most 10000",
    ),
    (
        "name: s\nspace: {width: [8, 9], n_dis: [1, 2], loss: [hinge, minimax]}\n"
        "design: {points: 2000, seeds: 9, cross: [width, n_dis, loss]}",
        3,
        "design",
        "144000 runs",
    ),
    (
        f"name: s\nspace: {{architecture: [mlp, {'a' * 100}:b], lr: [1.{'1' * 100}], "
        f"beta1: [0.{'1' * 30}, 0.2], width: [8]}}\nspec: 1",
        3,
        "spec",
        "unknown key",
    ),
    (
        "name: s\nspace:\n"
        + "".join(
            f"  {name}: [0.12345678901234567]\n"
            for name in ("beta1", "beta2", "momentum", "dropout", "ema_decay", "label_smoothing", "lr")
        )
        + f"  architecture: [{'a' * 100}:b]\n"
        + "design:\n  cross: [beta1, beta2, momentum, dropout, ema_decay, label_smoothing, lr, architecture]",
        12,
        "design.cross",
        "a run named by its levels would have",
    ),
]

NAMES: list[Case] = [
    *(
        (f"dataset: ring\nname: {name}", 2, "name", NAME)
        for name in (
            "a/b",
            "'..'",
            "'.'",
            ".hidden",
            "-rf",
            "_s",
            "'a b'",
            "'~'",
            "''",
            "' '",
            "/etc/passwd",
            "'C:\\x'",
            "'..\\up'",
            "a.yaml",
            "'a\\0b'",
            '"a\\0b"',
            '"a\\nb"',
            '"a\\rb"',
            '"a\\x1b[2Jb"',
            '"a\\u202Eb"',
            '"a\\u200Bb"',
            '"a\\uFEFFb"',
            '"a\\uD800b"',
            "é",
            "ａ",
            "٣",
            "'<script>alert(1)</script>'",
            "'a;rm -rf x'",
            "'$(id)'",
            "'{{7*7}}'",
            "z" + 64 * "z",
            "[s]",
            "{s: 1}",
            "true",
            "1e3",
            ".nan",
        )
    ),
    *((f"name: {name}", 1, "name", "is reserved") for name in ("con", "NUL", "Aux", "prn", "com1", "LPT9")),
    ("name: s\ndataset: ../mnist", 2, "dataset", "must be one of"),
    ("name: s\ndataset: folder", 2, "dataset", "must be one of"),
    ("name: s\ndataset: 'folder:  '", 2, "dataset", "folder:PATH"),
    ('name: s\ndataset: "folder:a\\0b"', 2, "dataset", "folder:PATH"),
    ('name: s\ndataset: "folder:a\\nb"', 2, "dataset", "folder:PATH"),
    ('name: s\ndataset: "folder:a\\u202Eb"', 2, "dataset", "folder:PATH"),
    ("name: s\ndataset: folder:~nobody-of-this-name/x", 2, "dataset", "only ~/ is known"),
    ("name: s\ndataset: folder:" + "a" * 300, 2, "dataset", "longer than a path can be"),
    ("name: s\ndataset: folder:" + "a/" * 600, 2, "dataset", "longer than a path can be"),
    ("name: s\ndataset: folder:" + "é" * 130, 2, "dataset", "longer than a path can be"),
    ("name: s\ndataset: Mnist", 2, "dataset", 'did you mean "mnist"?'),
    ("name: s\ndataset: {folder: x}", 2, "dataset", "not a mapping"),
    ("name: s\ndataset: 7", 2, "dataset", "not 7"),
    ("name: s\ndataset:", 2, "dataset", "not null"),
]

CODE: list[Case] = [
    (f"name: s\nfixed:\n  architecture: {name}", 3, "fixed.architecture", ARCHITECTURE)
    for name in (
        "\"__import__('os').system('id')\"",
        "'os:system(1)'",
        "'os:system;id'",
        "'../x:y'",
        "'/tmp/x:y'",
        "'x.:y'",
        "'.x:y'",
        "'x..y:z'",
        "'1x:y'",
        "'x:y:z'",
        "'x:y.z'",
        "'x: y'",
        "':y'",
        "'x:y\\0'",
        '"x:y\\0"',
        "'éx:y'",
        "'x：y'",
        "'<img src=x onerror=alert(1)>:y'",
        "MLP",
        "7",
        "true",
        "~",
        "''",
    )
]

NUMBERS: list[Case] = [
    *(
        (f"name: s\nfixed: {{lr: {number}}}", 2, "fixed.lr", words)
        for number, words in (
            ("1e999", "not .inf"),
            ("-1e999", "not -.inf"),
            ("1e300", "at most 1e+30"),
            ("1e-999", "above 0"),
            (".NaN", "not .nan"),
            ("-.inf", "not -.inf"),
            ("-1", "not -1"),
            ("-0.0", "not -0.0"),
            ("0x" + "f" * 30, "cannot be read as int"),
            ("1" + "_" * 2000 + "e", "must be a number"),
            ("0b2", "must be a number"),
            ("1:30", 'not "1:30"'),
            ("'1e-3'", 'not "1e-3"'),
            ("1e-3s", 'not "1e-3s"'),
            ("1/3", 'not "1/3"'),
            ("yes", 'not "yes"'),
            ("false", "not false"),
            ("{}", "must be a single value"),
            ("[]", "must be a single value"),
            ("2001-01-01", "must be a number"),
        )
    ),
    ("name: s\nfixed: {lr: 1,5}", 2, "fixed.5", "unknown parameter"),
    ("name: s\nfixed: {n_dis: 1.5}", 2, "fixed.n_dis", "a whole number"),
    ("name: s\nfixed: {n_dis: 1e1}", 2, "fixed.n_dis", "a whole number"),
    ("name: s\nfixed: {batch_size: -64}", 2, "fixed.batch_size", "not -64"),
    ("name: s\nfixed: {train_size: 9223372036854775807}", 2, "fixed.train_size", "at most 1000000000"),
    ("name: s\nfixed: {width: 9223372036854775808}", 2, "fixed.width", "cannot be read as int"),
    ("name: s\nfixed: {lr_ratio: 1e-300}", 2, "fixed.lr_ratio", "of at least 1e-30"),
    ("name: s\nspace: {lr: {low: 1e-5, high: 1e31}}", 2, "space.lr.high", "at most 1e+30"),
    ("name: s\nspace: {lr: [1, 1e999]}", 2, "space.lr", "not .inf"),
    ("name: s\nspace: {width: {low: 8, high: 1e2}}", 2, "space.width.high", "a whole number"),
    ("name: s\nspace: {width: {low: 8.5, high: 16}}", 2, "space.width.low", "a whole number"),
    ("name: s\nspace: {width: {low: true, high: 16}}", 2, "space.width.low", "not true"),
    ("name: s\nspace: {lr: {low: [1], high: 2}}", 2, "space.lr.low", "not a list"),
    ("name: s\nspace: {lr: {low: {}, high: 2}}", 2, "space.lr.low", "not a mapping"),
    (
        "name: s\nspace: {instance_noise: {low: 0, high: 1, log: true}}",
        2,
        "space.instance_noise.low",
        "positive",
    ),
    ("name: s\nspace: {lr: {low: 1, high: 2, levels: 2.5}}", 2, "space.lr.levels", "a whole number"),
    ("name: s\nspace: {lr: {low: 1, high: 2, log: yes}}", 2, "space.lr.log", "true or false"),
    ("name: s\nspace: {lr: [[1, 2]]}", 2, "space.lr", "not a list"),
    ("name: s\nspace: {lr: [{low: 1}]}", 2, "space.lr", "not a mapping"),
    ("name: s\nspace: {spectral_norm: [true, 1]}", 2, "space.spectral_norm", "not 1"),
    ("name: s\ndesign: {seed: 4294967296}", 2, "design.seed", "below 4294967296"),
    ("name: s\noutcomes: {spike_factor: .inf}", 2, "outcomes.spike_factor", "not .inf"),
    ("name: s\noutcomes: {good_modes: .nan}", 2, "outcomes.good_modes", "not .nan"),
    ("name: s\ndataset: ring\nimage_size: 28", 3, "image_size", "does not apply to ring"),
    (
        "name: s\nspace:\n  architecture: [own.nets:Pair, own.nets:pair]",
        3,
        "space.architecture",
        "in another case",
    ),
]

SECTIONS = ("space", "fixed", "design", "training", "recording", "outcomes")
FIELDS = (
    *((f"design.{name}", "{}") for name in ("sampler", "points", "seeds", "cross", "seed")),
    *((f"training.{name}", "{}") for name in ("steps", "stop_on", "cohort_size", "tf32", "compile")),
    *(
        (f"recording.{name}", "[]")
        for name in ("every", "evaluate_every", "samples", "final_samples", "keep_weights")
    ),
    *((f"outcomes.{name}", "[]") for name in ("persist", "good_precision", "stable_modes", "dropped_modes")),
    *((f"fixed.{name}", "{a: 1}") for name in PARAMETERS),
    *((f"space.{name}", "text") for name in PARAMETERS),
)
TYPES: list[Case] = [
    *(
        (f"name: s\n{section}: {value}", 2, section, "must be a mapping")
        for section in SECTIONS
        for value in ("7", "[1]", "text", "true", "~", "1e999")
    ),
    *(
        ("name: s\n{}:\n  {}: {}".format(*field.split("."), value), 3, field, "must be")
        for field, value in FIELDS
    ),
]

HOSTILE: list[Case] = [
    *SYNTAX,
    *ALIASES,
    *TAGGED,
    *ENCODINGS,
    *SIZES,
    *NAMES,
    *CODE,
    *NUMBERS,
    *TYPES,
]
"""What the file holds; line, field and a part of the message that it must be refused with."""

OVERRIDES: list[tuple[str, str, str]] = [
    ("name=../up", "name", NAME),
    ("name=con", "name", "is reserved"),
    ('name="a\\u202Eb"', "name", NAME),
    ("fixed.lr=1e999", "fixed.lr", "not .inf"),
    ("fixed.lr=.nan", "fixed.lr", "not .nan"),
    ("fixed.lr=" + "9" * 5000, "fixed.lr", "cannot be read as int"),
    ("fixed.lr=*a", "fixed.lr", ANCHORS),
    ("fixed.lr=&a 1", "fixed.lr", ANCHORS),
    ("fixed.lr=!!python/object/apply:os.system [id]", "fixed.lr", TAGS),
    ("fixed.lr=\x1b[2J", "fixed.lr", 'character "\\u001b" is not allowed'),
    ("fixed.lr=\udcff", "fixed.lr", "is not allowed"),
    ("fixed.lr={a: 1, a: 2}", "fixed.lr", "given twice"),
    ("fixed.architecture=../x:y", "fixed.architecture", ARCHITECTURE),
    ("fixed.lr\u202e=1", "fixed.lr\\u202e", "unknown parameter"),
    ("space.lr=[" + "1," * 1000 + "]", "space.lr", "is longer than 500 values"),
    ("space.lr=" + "[" * 1000, "space.lr", "nested too deeply"),
    ("design.cross=loss", "design.cross", "must be a list"),
    ("design.points=-1", "design.points", "not -1"),
    ("dataset=folder:", "dataset", "folder:PATH"),
    ("dataset=folder:~nobody-of-this-name", "dataset", "only ~/ is known"),
    (".".join("k" * 400) + "=1", "k", "unknown key"),
    ("k" * 5000 + "=1", "k" * 57 + "...", "unknown key"),
    ("training=7", "training", "must be a mapping"),
    ("training=~", "training", "must be a mapping"),
    ("../x=1", "", "must be written key.key=value"),
]
"""What `--set` is given; the key and a part of the message that it must be refused with."""
