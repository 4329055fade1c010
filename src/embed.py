#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Writes a file as a C array to standard output: embed.py FILE NAME."""

import sys

path, name = sys.argv[1:]
with open(path, "rb") as file:
    content = file.read()
print(f"static const unsigned char {name}[] = {{")
for start in range(0, len(content), 16):
    print("\t" + " ".join(f"0x{byte:02x}," for byte in content[start : start + 16]))
print("};")
