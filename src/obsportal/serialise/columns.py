"""What a column of a table is, and Arrow arrays made to fit it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import pyarrow as pa
import pyarrow.compute as pc

Datatype = Literal["unicodeChar", "double", "int", "long", "boolean"]

ARROW_TYPES: dict[str, pa.DataType] = {
    "unicodeChar": pa.string(),
    "double": pa.float64(),
    "int": pa.int32(),
    "long": pa.int64(),
    "boolean": pa.bool_(),
}
FEW = 100
INTEGER_BOUNDS = {"int": (-(2**31), 2**31 - 1), "long": (-(2**63), 2**63 - 1)}


class SerialiseError(ValueError):
    """A table that cannot be written: `code`, a sentence, and the column it is about (may be empty)."""

    def __init__(self, code: str, message: str, column: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.column = column


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a result: its VOTable name, type and meaning.

    `arraysize` is `*` for text unless given; `ref` names a coordinate or time system by its id.
    Raises SerialiseError for a datatype that is not known or a name without letters.
    """

    name: str
    datatype: Datatype
    unit: str = ""
    ucd: str = ""
    description: str = ""
    arraysize: str = ""
    xtype: str = ""
    utype: str = ""
    ref: str = ""

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise SerialiseError("column-name", "a column needs a name")
        if self.datatype not in ARROW_TYPES:
            allowed = ", ".join(get_args(Datatype))
            message = f"{self.name}: datatype {self.datatype!r} is not one of {allowed}"
            raise SerialiseError("column-datatype", message, self.name)
        if self.datatype == "unicodeChar" and not self.arraysize:
            object.__setattr__(self, "arraysize", "*")


def arrow_schema(columns: Sequence[Column]) -> pa.Schema:
    """The Arrow schema that fits these columns without any conversion."""
    return pa.schema([(column.name, ARROW_TYPES[column.datatype]) for column in columns])


def check_columns(columns: Sequence[Column]) -> None:
    """Refuse an empty list of columns and names that occur twice (SerialiseError)."""
    if not columns:
        raise SerialiseError("no-columns", "a table needs at least one column")
    seen: set[str] = set()
    for column in columns:
        if column.name in seen:
            raise SerialiseError("column-twice", f"column {column.name!r} is declared twice", column.name)
        seen.add(column.name)


def conform(batch: pa.RecordBatch, columns: Sequence[Column]) -> list[pa.Array]:
    """The batch's arrays in the types the columns declare; integers may keep another width.

    Raises SerialiseError when names or their order differ, or a value does not fit its column.
    """
    names = batch.schema.names
    wanted = [column.name for column in columns]
    if names != wanted:
        raise SerialiseError("columns-differ", f"the batch has columns {names}, expected {wanted}")
    return [_conform(array, column) for array, column in zip(batch.columns, columns, strict=True)]


def _conform(array: pa.Array, column: Column) -> pa.Array:
    kind = array.type
    target = ARROW_TYPES[column.datatype]
    if kind == target:
        return array
    try:
        if pa.types.is_dictionary(kind):
            return _conform(array.dictionary_decode(), column)
        if column.datatype in INTEGER_BOUNDS and pa.types.is_integer(kind):
            _check_bounds(array, column)
            return array
        if column.datatype == "unicodeChar":
            return _as_text(array)
        return pc.cast(array, target)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise SerialiseError("column-type", f"{column.name}: {error}", column.name) from error


def _as_text(array: pa.Array) -> pa.Array:
    if pa.types.is_timestamp(array.type):
        return pc.strftime(array, "%Y-%m-%dT%H:%M:%S")
    if pa.types.is_binary(array.type) or pa.types.is_large_binary(array.type):
        return pc.cast(pc.cast(array, pa.binary()), pa.string())
    return pc.cast(array, pa.string())


def _check_bounds(array: pa.Array, column: Column) -> None:
    low, high = INTEGER_BOUNDS[column.datatype]
    target = ARROW_TYPES[column.datatype]
    narrower = array.type.bit_width < target.bit_width
    if narrower or not len(array) or array.null_count == len(array):
        return
    if len(array) <= FEW:
        values = [value for value in array.to_pylist() if value is not None]
        extremes = (min(values), max(values))
    else:
        found = pc.min_max(array).as_py()
        extremes = (found["min"], found["max"])
    for value in extremes:
        if not low <= value <= high:
            raise SerialiseError(
                "column-range",
                f"{column.name}: {value} does not fit {column.datatype} ({low} to {high})",
                column.name,
            )
