"""Reads the channels and payloads of the built-in XGBoost: CSV without a header, label first; libsvm; parquet."""

import csv
import io
import os

import numpy
import xgboost

from haliotis_container import UserError

CSV = "text/csv"
LIBSVM = "text/libsvm"
PARQUET = "application/x-parquet"
# Folders below a channel that are looked into.
MAX_DEPTH = 3
# Bytes from which the delimiter of a CSV file is guessed.
SNIFFED = 4096


def content_type(text):
    """The reader for a channel's content type; libsvm when it says nothing, as in the real container."""
    if not text:
        return LIBSVM
    parts = [part.strip() for part in text.lower().split(";")]
    kind, options = parts[0], dict(part.split("=", 1) for part in parts[1:] if "=" in part)
    if kind in ("csv", "text/csv"):
        if options.get("label_size", "1") != "1":
            raise UserError(f"{text} is not an accepted csv ContentType. Optional parameter label_size must be equal to 1")
        return CSV
    if kind in ("libsvm", "text/libsvm", "text/x-libsvm"):
        return LIBSVM
    if kind in ("parquet", "application/x-parquet"):
        return PARQUET
    raise UserError(f"{text} is not an accepted ContentType: csv, libsvm, parquet (the local cloud reads no recordio-protobuf)")


def files(folder):
    """Data files in order: not those that begin with `.` or `_`, at most three folders down."""
    found = []
    for path, folders, names in os.walk(folder):
        folders.sort()
        depth = os.path.relpath(path, folder).count(os.sep) + 1 if path != folder else 0
        if depth >= MAX_DEPTH:
            folders.clear()
        found += [os.path.join(path, name) for name in sorted(names) if name[0] not in "._"]
    return found


def load(folder, kind, weighted):
    """A DMatrix of a whole channel; None when the channel has no files."""
    paths = files(folder)
    if not paths:
        return None
    if kind == CSV:
        return from_table(numpy.concatenate([read_csv(path) for path in paths]), weighted)
    if kind == PARQUET:
        return from_table(numpy.concatenate([read_parquet(path) for path in paths]), weighted)
    with_text = b"".join(read_lines(path) for path in paths)
    return libsvm(with_text, labelled=True)


def read_lines(path):
    with open(path, "rb") as file:
        data = file.read()
    return data if data.endswith(b"\n") or not data else data + b"\n"


def read_csv(path):
    with open(path, encoding="utf-8-sig", newline="") as file:
        return parse_csv(file.read(), os.path.basename(path))


def parse_csv(text, name):
    """A table of numbers; an empty field is a missing value."""
    import pandas

    delimiter = sniff(text)
    try:
        table = pandas.read_csv(io.StringIO(text), header=None, sep=delimiter, dtype="float32", engine="c")
    except ValueError as error:
        raise UserError(f"Failed to load csv data with exception:\n{name}: {error}; a CSV file has numbers only, and no header") from None
    return table.to_numpy()


def sniff(text):
    line = text[:SNIFFED].split("\n", 1)[0]
    try:
        return csv.Sniffer().sniff(line, delimiters=",;\t |").delimiter
    except csv.Error:
        return ","


def read_parquet(path):
    import pandas

    try:
        return pandas.read_parquet(path).to_numpy(dtype="float32")
    except ImportError:
        raise UserError("The local runtimes have no parquet reader; use text/csv or text/libsvm") from None


def from_table(table, weighted):
    """Label first; with csv_weights the weight second."""
    first = 2 if weighted else 1
    if table.ndim != 2 or table.shape[1] <= first:
        raise UserError(f"The data has {table.shape[-1]} column(s); it needs a label{' and a weight' if weighted else ''} and features")
    label, weight = table[:, 0], table[:, 1] if weighted else None
    if numpy.isnan(label).any():
        raise UserError("The label column holds a missing value")
    return xgboost.DMatrix(table[:, first:], label=label, weight=weight)


def libsvm(data, labelled):
    """`label index:value …`; without labels each line begins with a feature."""
    from scipy.sparse import csr_matrix

    labels, values, columns, ends = [], [], [], [0]
    for number, line in enumerate(data.decode("utf-8").splitlines(), 1):
        parts = line.split("#", 1)[0].split()
        if not parts:
            continue
        try:
            if ":" not in parts[0]:
                labels.append(float(parts.pop(0).split(":")[0]))
            elif labelled:
                raise ValueError("no label")
            for part in parts:
                index, _, value = part.partition(":")
                columns.append(int(index))
                values.append(float(value))
        except ValueError as error:
            raise UserError(f"Failed to load libsvm data: line {number} is not `label index:value ...`: {error}") from None
        ends.append(len(columns))
    width = max(columns, default=-1) + 1
    matrix = csr_matrix((numpy.array(values, "float32"), columns, ends), shape=(len(ends) - 1, width))
    has_labels = len(labels) == len(ends) - 1 and labels
    return xgboost.DMatrix(matrix, label=labels if has_labels else None)
