"""Reads a repository's sources and its git log, and says what a newcomer asks first.

Runs inside a sandbox: `input/` holds what was copied in, `report.md` and `report.json` are copied out.
Standard library only.
"""

import collections
import json
import pathlib
import re

SOURCES = pathlib.Path("input/sources")
LOG = pathlib.Path("input/git-log.txt")
LANGUAGES = {".ts": "TypeScript", ".mjs": "JavaScript", ".js": "JavaScript", ".go": "Go", ".py": "Python", ".md": "Markdown"}
IMPORT = re.compile(r"""from '(@nanoclaw/[a-z-]+)'""")


def read_sources():
    for path in sorted(SOURCES.rglob("*")):
        if path.is_file() and path.suffix in LANGUAGES:
            yield path.relative_to(SOURCES), path.read_text(errors="replace").splitlines()


def count_changes():
    """Commits, and the files that most of them touched, from `git log --numstat`."""
    commits, touched = 0, collections.Counter()
    for line in LOG.read_text(errors="replace").splitlines() if LOG.exists() else []:
        if line.startswith("commit "):
            commits += 1
        elif line.count("\t") == 2:
            touched[line.split("\t")[2]] += 1
    return commits, touched


def main():
    lines_by_language, files_by_language = collections.Counter(), collections.Counter()
    lines_by_part, imports, longest, comments, code = collections.Counter(), collections.defaultdict(set), [], 0, 0
    for path, lines in read_sources():
        language, part = LANGUAGES[path.suffix], path.parts[0]
        lines_by_language[language] += len(lines)
        files_by_language[language] += 1
        lines_by_part[part] += len(lines)
        longest.append((len(lines), str(path)))
        stripped = [line.strip() for line in lines]
        comments += sum(line.startswith(("//", "/*", "*", "#")) for line in stripped)
        code += sum(bool(line) for line in stripped)
        for name in IMPORT.findall("\n".join(lines)) if path.suffix == ".ts" else []:
            if name != f"@nanoclaw/{part}":
                imports[part].add(name.removeprefix("@nanoclaw/"))
    longest.sort(reverse=True)
    commits, touched = count_changes()

    total, files = sum(lines_by_language.values()), sum(files_by_language.values())
    rows = [
        ("size", f"{total:,} lines in {files} files, {100 * comments // max(code, 1)} % of them comments"),
        ("languages", ", ".join(f"{name} {count:,}" for name, count in lines_by_language.most_common())),
        ("parts", ", ".join(f"{name} {count:,}" for name, count in lines_by_part.most_common())),
        ("imports", "; ".join(f"{part} <- {', '.join(sorted(names))}" for part, names in sorted(imports.items()))),
        ("longest", ", ".join(f"{name} ({count})" for count, name in longest[:3])),
        ("history", f"{commits} commits" + (f", most often {touched.most_common(1)[0][0]}" if touched else "")),
    ]
    for name, text in rows:
        print(f"{name:<10}{text}")

    pathlib.Path("report.md").write_text("# What is in this repository\n\n" + "".join(f"- **{name}**: {text}\n" for name, text in rows))
    pathlib.Path("report.json").write_text(
        json.dumps({"lines": lines_by_language, "files": files_by_language, "parts": lines_by_part, "commits": commits})
    )


main()
