"""Writes types.parquet, types.arrow and types.json: what pyarrow reads back of the two, as Python prints it.

usage: generate.py      (needs pyarrow; writes beside itself)
"""

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.ipc as ipc
import pyarrow.parquet as pq

HERE = Path(__file__).parent
MOMENTS = [
    dt.datetime(2024, 2, 29, 13, 5, 9),
    dt.datetime(1969, 12, 31, 23, 59, 59, 500000),
    dt.datetime(1, 1, 1),
    dt.datetime(2024, 2, 29, 0, 0, 0, 120),
]
DECIMALS = [Decimal("12.30"), Decimal("-0.05"), Decimal("0.00"), Decimal("99999.99")]


def column(kind, values):
    return pa.array([*values, None], type=kind)


def main():
    days = [moment.date() for moment in MOMENTS]
    times = [moment.time() for moment in MOMENTS]
    recent = [moment if moment.year > 1700 else dt.datetime(2262, 1, 1) for moment in MOMENTS]
    seconds = [moment.replace(microsecond=0) for moment in MOMENTS]
    table = pa.table(
        {
            "decimal_int32": column(pa.decimal128(7, 2), DECIMALS),
            "decimal_int64": column(pa.decimal128(17, 9), [Decimal("1e-9"), Decimal("-2e-7"), Decimal(0), Decimal(3)]),
            "decimal_bytes": column(pa.decimal128(38, 2), [*DECIMALS[:3], Decimal("-" + "9" * 36 + ".99")]),
            "decimal_256": column(pa.decimal256(60, 1), [Decimal("7" * 59 + ".5"), *DECIMALS[2:3], Decimal(1), Decimal(2)]),
            "uint8": column(pa.uint8(), [0, 1, 128, 255]),
            "uint16": column(pa.uint16(), [0, 1, 1 << 15, (1 << 16) - 1]),
            "uint32": column(pa.uint32(), [0, 1, 1 << 31, (1 << 32) - 1]),
            "uint64": column(pa.uint64(), [0, 1, 1 << 63, (1 << 64) - 1]),
            "int8": column(pa.int8(), [0, 1, -128, 127]),
            "date32": column(pa.date32(), days),
            "time_ms": column(pa.time32("ms"), [time.replace(microsecond=time.microsecond // 1000 * 1000) for time in times]),
            "time_us": column(pa.time64("us"), times),
            "timestamp_ms": column(pa.timestamp("ms"), seconds),
            "timestamp_us": column(pa.timestamp("us"), MOMENTS),
            "timestamp_ns": column(pa.timestamp("ns"), recent),
            "timestamp_utc": column(pa.timestamp("us", tz="UTC"), MOMENTS),
            "half": column(pa.float16(), [0.5, -2.0, 65504.0, 0.1]),
            "float": column(pa.float32(), [0.1, -2.5, 3.4028234e38, 1e-45]),
            "double": column(pa.float64(), [0.1, -2.5, 1.7976931348623157e308, 5e-324]),
        }
    )
    pq.write_table(table, HERE / "types.parquet", store_decimal_as_integer=True)
    bytes_of = HERE / "types.arrow"
    with ipc.new_file(bytes_of, table.schema) as out:
        out.write_table(table)
    found = pq.read_table(HERE / "types.parquet").to_pylist()
    assert found == ipc.open_file(bytes_of).read_all().to_pylist()
    rows = [json.loads(json.dumps(row, default=str)) for row in found]
    (HERE / "types.json").write_text(json.dumps(rows, indent=1) + "\n")
    # Parquet itself has none
    spans = [dt.timedelta(minutes=1), dt.timedelta(days=-1, seconds=3), dt.timedelta(days=400, milliseconds=5),
             dt.timedelta(0)]
    spans = pa.table({"s": column(pa.duration("s"), [dt.timedelta(days=s.days, seconds=s.seconds) for s in spans]),
                      "ms": column(pa.duration("ms"), spans),
                      "us": column(pa.duration("us"), [s + dt.timedelta(microseconds=7) for s in spans]),
                      "ns": column(pa.duration("ns"), spans)})
    with ipc.new_file(HERE / "durations.arrow", spans.schema) as out:
        out.write_table(spans)
    rows = [json.loads(json.dumps(row, default=str)) for row in spans.to_pylist()]
    (HERE / "durations.json").write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
