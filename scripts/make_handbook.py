#!/usr/bin/env python3
"""Writes the binary documents of examples/handbook (PDF, DOCX, PNG) from the text below.

Only the Python standard library is used, and the same text gives the same bytes, so the files in
the repository can be checked against this script: scripts/make_handbook.py && git diff --stat
"""

import struct
import zipfile
import zlib
from pathlib import Path

HANDBOOK = Path(__file__).resolve().parent.parent / "examples" / "handbook"

FIRE_SAFETY = [
    ["# Fire safety", "",
     "This leaflet hangs beside every exit.", "",
     "# Before anything happens", "",
     "Fire doors are kept closed.",
     "Fire extinguishers are checked every 2 years.",
     "There are 9 fire extinguishers in the building.",
     "A fire drill is held every April and every October."],
    ["# When the alarm sounds", "",
     "Leave the building by the nearest stairs and never by the lift.",
     "The assembly point is the gravel yard behind the workshop.",
     "The fire wardens are Jonas Wieck and Amina Farah.",
     "Wardens wear an orange vest.",
     "Nobody goes back inside before the fire brigade agrees."],
]

WARRANTY = [
    ["# Warranty of our lamps", "",
     "The hut lamp has a warranty of 5 years.",
     "The trail lamp has a warranty of 3 years.",
     "The battery has a warranty of 18 months.",
     "Damage by lightning is not covered by the warranty."],
    ["# Repairs", "",
     "Repairs are done in the workshop in Innsbruck.",
     "A repair outside the warranty costs 48 EUR per hour.",
     "Spare parts are kept for 12 years.",
     "The repaired lamp is sent back within 7 working days."],
]

ONBOARDING = [
    ("h", "Your first weeks"),
    ("p", "New colleagues are met at the front desk at 09:00 on their first day."),
    ("p", "Every new colleague has a buddy for the first 3 months."),
    ("p", "The probation period lasts 6 months."),
    ("h", "Accounts and keys"),
    ("p", "The laptop is handed out by the IT team in room 214."),
    ("p", "The key card is issued by the front desk against a deposit of 20 EUR."),
    ("p", "A forgotten key card is replaced for the day by the front desk."),
    ("h", "Safety briefing"),
    ("p", "The safety briefing takes 45 minutes and is given by Jonas Wieck."),
    ("p", "The workshop may be entered only after the safety briefing."),
]

BENEFITS = [
    ("h", "Benefits"),
    ("p", "The company pays 60 EUR per month towards a public transport ticket."),
    ("p", "Lunch in the canteen costs 4.50 EUR for employees."),
    ("p", "The pension plan adds 5 percent of the salary."),
    ("t", [["Club", "Meets on", "Contact"],
           ["Climbing", "Tuesday at 18:00", "Tomas Eklund"],
           ["Choir", "Thursday at 17:30", "Amina Farah"],
           ["Chess", "Friday at 12:30", "Mirela Dobre"]]),
    ("p", "Employees buy lamps with a discount of 35 percent."),
    ("p", "Salaries are paid on the 27th of each month."),
]

PICTURE_DESCRIPTION = (
    "Floor plan of floor 1. The kitchen is in the north-east corner. "
    "Meeting room Larch is beside the stairs. "
    "The first-aid kit hangs on the wall between the kitchen and the lift."
)


def pdf_page_stream(lines):
    out = ["BT", "/F1 12 Tf", "16 TL", "72 770 Td"]
    for line in lines:
        heading = line.startswith("# ")
        text = line[2:] if heading else line
        text = text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
        out.append("/F2 16 Tf" if heading else "/F1 12 Tf")
        out.append(f"({text}) Tj T*")
    out.append("ET")
    return "\n".join(out).encode("latin-1")


def write_pdf(path, title, pages):
    """A PDF 1.4 file with two base fonts and one content stream a page."""
    page_ids = [5 + 2 * i for i in range(len(pages))]
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        ("<< /Type /Pages /Kids [%s] /Count %d >>"
         % (" ".join(f"{i} 0 R" for i in page_ids), len(pages))).encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica-Bold /Encoding /WinAnsiEncoding >>",
    ]
    for index, lines in enumerate(pages):
        stream = pdf_page_stream(lines)
        objects.append(
            ("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents %d 0 R "
             "/Resources << /Font << /F1 3 0 R /F2 4 0 R >> >> >>" % (page_ids[index] + 1)).encode())
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream))
    objects.append(f"<< /Title ({title}) >>".encode())
    out = bytearray(b"%PDF-1.4\n")
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    for offset in offsets:
        out += b"%010d 00000 n \n" % offset
    out += (b"trailer\n<< /Size %d /Root 1 0 R /Info %d 0 R >>\nstartxref\n%d\n%%%%EOF\n"
            % (len(objects) + 1, len(objects), start))
    path.write_bytes(bytes(out))


def escape_xml(text):
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def docx_paragraph(text, style=None):
    properties = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f"<w:p>{properties}<w:r><w:t>{escape_xml(text)}</w:t></w:r></w:p>"


def docx_body(blocks):
    for kind, value in blocks:
        if kind == "h":
            yield docx_paragraph(value, "Heading1")
        elif kind == "p":
            yield docx_paragraph(value)
        else:
            rows = ("<w:tr>" + "".join(f"<w:tc>{docx_paragraph(cell)}</w:tc>" for cell in row)
                    + "</w:tr>" for row in value)
            yield "<w:tbl>" + "".join(rows) + "</w:tbl>"


def write_docx(path, blocks):
    word = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    head = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
    parts = {
        "[Content_Types].xml": head
        + f'<Types xmlns="{package}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/>'
        "</Types>",
        "_rels/.rels": head
        + f'<Relationships xmlns="{package}/relationships">'
        f'<Relationship Id="rId1" Type="{office}/officeDocument" Target="word/document.xml"/>'
        "</Relationships>",
        "word/document.xml": head
        + f'<w:document xmlns:w="{word}"><w:body>' + "".join(docx_body(blocks))
        + "</w:body></w:document>",
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), text,
                             compress_type=zipfile.ZIP_DEFLATED)


def floor_plan_rows(width, height):
    """Grey walls, a blue kitchen, a green meeting room and a red first-aid kit on white."""
    rooms = [((220, 10, 310, 90), (170, 200, 240)), ((10, 110, 130, 190), (180, 225, 180)),
             ((150, 110, 200, 190), (225, 225, 225)), ((212, 30, 220, 42), (220, 40, 40))]
    for y in range(height):
        row = bytearray()
        for x in range(width):
            colour = (255, 255, 255)
            for (left, top, right, bottom), fill in rooms:
                if left <= x < right and top <= y < bottom:
                    colour = fill
                if (x in (left, right - 1) and top <= y < bottom) or (
                        y in (top, bottom - 1) and left <= x < right):
                    colour = (90, 90, 90)
            if x in (0, width - 1) or y in (0, height - 1):
                colour = (40, 40, 40)
            row += bytes(colour)
        yield bytes(row)


def png_chunk(kind, data):
    return (struct.pack(">I", len(data)) + kind + data
            + struct.pack(">I", zlib.crc32(kind + data) & 0xFFFFFFFF))


def write_png(path, description):
    width, height = 320, 200
    pixels = b"".join(b"\0" + row for row in floor_plan_rows(width, height))
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
        + png_chunk(b"tEXt", b"Description\0" + description.encode("latin-1"))
        + png_chunk(b"IDAT", zlib.compress(pixels, 9))
        + png_chunk(b"IEND", b""))


def main():
    write_pdf(HANDBOOK / "fire-safety.pdf", "Fire safety", FIRE_SAFETY)
    write_pdf(HANDBOOK / "warranty.pdf", "Warranty", WARRANTY)
    write_docx(HANDBOOK / "onboarding.docx", ONBOARDING)
    write_docx(HANDBOOK / "benefits.docx", BENEFITS)
    write_png(HANDBOOK / "floor-plan.png", PICTURE_DESCRIPTION)


if __name__ == "__main__":
    main()
