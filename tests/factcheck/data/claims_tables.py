"""Claims tables written for the reader's tests, and their rows read back."""

import csv

from factcheck.records import claims_schema

HEADER = ["", "claim", "claim_image", "document", "document_image", "Category", "Claim OCR", "Document OCR"]
TRICKY = 'First line\nsecond\t"quoted, so" \r\n\n &amp; end'


def factify(path, rows, header=HEADER, delimiter="\t", **options):
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter, lineterminator=options.pop("lineterminator", "\n"), **options)
        writer.writerow(header)
        writer.writerows(rows)
    return path


def row(number=0, **changes):
    cells = {
        "": number,
        "claim": f"claim {number}",
        "claim_image": "c.jpg",
        "document": TRICKY,
        "document_image": "http://x.com/a?format=jpg&name=large",
        "Category": "Support_Text",
        "Claim OCR": "",
        "Document OCR": "text",
    }
    return list((cells | changes).values())


def rows_of(source, **options):
    tables = list(source.batches(**options))
    for table in tables:
        assert table.schema.equals(claims_schema())
        table.validate(full=True)
    return [item for table in tables for item in table.to_pylist()]
