"""Skeletons built as their command line says, and a small device that is filled into each of them."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from example_programs import need

from balloon_conformance.skeletons.language import skeleton
from balloon_spec.events import Side

NEEDS = {"c": ("make", "cc"), "go": ("go",), "rust": ("rustc",)}
"""The programs without which a language cannot be built."""

STRICT = {"rust": ("rustc ", "rustc -D warnings ")}
"""What is changed in the command that builds, so that a warning is an error, if it is not one already."""

JANSSON = Path("/usr/include/jansson.h")


@dataclass(frozen=True)
class Filling:
    """A device that returns every buffer whose segments are as long as they should be, and discards nothing.

    ``places`` are texts of the skeleton, each there once, and what stands there instead; ``methods`` are the bodies
    of commands. ``length`` is the used length of a buffer there, and with ``wrong_length`` it is one of the device's
    invention.
    """

    places: Mapping[str, str]
    methods: Mapping[str, str]
    length: str
    wrong_length: str

    def fill(self, text: str, *, wrong: bool = False) -> str:
        for old, new in self.places.items():
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        for command, body in self.methods.items():
            (line,) = (one for one in text.splitlines() if f"{command} is not written yet" in one)
            text = text.replace(line, body.strip("\n"))
        assert text.count(self.length) == 1
        return text.replace(self.length, self.wrong_length) if wrong else text


FILLINGS = {
    "c": Filling(
        {
            "/* One command: ": "static unsigned char space[8];\n\n/* One command: ",
            'json_string("0x0")': 'json_string("0x100000000")',
            "json_array()": 'json_pack("[ss]", "synchronous", "descriptors")',
            '    put(x, "role"': '    memset(space, 0, sizeof space);\n    put(x, "role"',
        },
        {
            "reset": """
    memset(space, 0, sizeof space);
    put(x, "offered", json_string("0x100000000"));""",
            "negotiate": """
    const char *accepted = json_string_value(json_object_get(x->command, "accepted"));

    put(x, "features_ok", json_boolean(!(strtoull(accepted, NULL, 16) & ~0x100000000ull)));""",
            "driver-ok": "    (void)x;",
            "available": """
    const json_t *segment, *all = json_object_get(x->command, "segments");
    size_t at, readable = 0;

    json_array_foreach(all, at, segment)
        if (!json_is_true(json_object_get(segment, "writable")))
            readable += (size_t)json_integer_value(json_object_get(segment, "length"));
    if (all && 2 * readable != strlen(json_string_value(json_object_get(x->command, "readable")))) {
        refuse(x, "refused", "segments of another length");
        return;
    }
    put(x, "events", json_pack("[{s:s, s:O, s:O, s:i, s:s, s:b}]", "event", "used", "queue",
        json_object_get(x->command, "queue"), "buffer", json_object_get(x->command, "buffer"),
        "length", 0, "written", "", "notify", 1));""",
            "configuration-read": """
    char data[17] = "";
    size_t offset = (size_t)json_integer_value(json_object_get(x->command, "offset"));
    size_t length = (size_t)json_integer_value(json_object_get(x->command, "length"));

    for (size_t at = 0; at < length; at++)
        sprintf(data + 2 * at, "%02x", space[offset + at]);
    put(x, "data", json_string(data));""",
            "configuration-write": """
    const char *data = json_string_value(json_object_get(x->command, "data"));
    size_t offset = (size_t)json_integer_value(json_object_get(x->command, "offset"));

    for (size_t at = 0; data[2 * at]; at++)
        sscanf(data + 2 * at, "%2hhx", &space[offset + at]);""",
        },
        '"length", 0,',
        '"length", 4,',
    ),
    "python": Filling(
        {
            '"0x0"': '"0x100000000"',
            '"capabilities": []': '"capabilities": ["synchronous", "descriptors"]',
            "        self.events.clear()": "        self.events.clear()\n        self.space = bytearray(8)",
        },
        {
            "reset": """
        self.space = bytearray(8)
        return {"offered": "0x100000000"}""",
            "negotiate": '        return {"features_ok": not int(fields["accepted"], 16) & ~0x100000000}',
            "driver-ok": "        return {}",
            "available": """
        segments = fields.get("segments", [])
        readable = sum(one["length"] for one in segments if not one.get("writable"))
        if segments and 2 * readable != len(fields["readable"]):
            raise Refused("segments of another length")
        used = {"event": "used", "length": 0, "written": "", "notify": True}
        self.events.append(used | {"queue": fields["queue"], "buffer": fields["buffer"]})
        return {}""",
            "configuration-read": """
        end = fields["offset"] + fields["length"]
        return {"data": self.space[fields["offset"] : end].hex()}""",
            "configuration-write": """
        data = bytes.fromhex(fields["data"])
        self.space[fields["offset"] : fields["offset"] + len(data)] = data
        return {}""",
        },
        '"length": 0,',
        '"length": 4,',
    ),
    "rust": Filling(
        {
            '"0x0".into()': '"0x100000000".into()',
            "Value::Array(vec![])": 'Value::Array(vec!["synchronous".into(), "descriptors".into()])',
            "    events: Vec<Value>,": "    space: [u8; 8],\n    events: Vec<Value>,",
        },
        {
            "reset": """
        self.space = [0; 8];
        Ok(vec![("offered", "0x100000000".into())])""",
            "negotiate": """
        let accepted = _fields["accepted"].as_bits().unwrap();
        Ok(vec![("features_ok", (accepted & !0x1_0000_0000 == 0).into())])""",
            "driver-ok": "        Ok(vec![])",
            "available": """
        let segments = _fields["segments"].elements();
        let own = segments.iter().filter(|one| one["writable"].as_bool() != Some(true));
        let readable: u64 = own.map(|one| one["length"].as_u64().unwrap()).sum();
        if !segments.is_empty() && readable != _fields["readable"].as_bytes().unwrap().len() as u64 {
            return Err(Refusal("refused", "segments of another length".to_string()));
        }
        self.events.push(json::object([
            ("event", "used".into()),
            ("queue", _fields["queue"].clone()),
            ("buffer", _fields["buffer"].clone()),
            ("length", 0.into()),
            ("written", "".into()),
            ("notify", true.into()),
        ]));
        Ok(vec![])""",
            "configuration-read": """
        let offset = _fields["offset"].as_u64().unwrap() as usize;
        let length = _fields["length"].as_u64().unwrap() as usize;
        Ok(vec![("data", json::hex(&self.space[offset..offset + length]))])""",
            "configuration-write": """
        let data = _fields["data"].as_bytes().unwrap();
        let offset = _fields["offset"].as_u64().unwrap() as usize;
        self.space[offset..offset + data.len()].copy_from_slice(&data);
        Ok(vec![])""",
        },
        '("length", 0.into())',
        '("length", 4.into())',
    ),
    "go": Filling(
        {
            '"0x0"': '"0x100000000"',
            "[]string{}": '[]string{"synchronous", "descriptors"}',
            "\tevents []fields": "\tspace  [8]byte\n\tevents []fields",
            '\t"encoding/json"\n': '\t"encoding/hex"\n\t"encoding/json"\n',
            '\t"os"\n': '\t"os"\n\t"strconv"\n',
        },
        {
            "reset": """
	a.space = [8]byte{}
	return fields{"offered": "0x100000000"}, nil""",
            "negotiate": """
	accepted, _ := strconv.ParseUint(command["accepted"].(string), 0, 64)
	return fields{"features_ok": accepted&^0x100000000 == 0}, nil""",
            "driver-ok": "\treturn nil, nil",
            "available": """
	segments, _ := command["segments"].([]any)
	readable := 0
	for _, one := range segments {
		if segment := one.(fields); segment["writable"] != true {
			readable += int(segment["length"].(float64))
		}
	}
	if segments != nil && 2*readable != len(command["readable"].(string)) {
		return nil, &refusal{"refused", "segments of another length"}
	}
	a.events = append(a.events, fields{"event": "used", "queue": command["queue"], "buffer": command["buffer"],
		"length": 0, "written": "", "notify": true})
	return nil, nil""",
            "configuration-read": """
	offset, length := int(command["offset"].(float64)), int(command["length"].(float64))
	return fields{"data": hex.EncodeToString(a.space[offset : offset+length])}, nil""",
            "configuration-write": """
	data, _ := hex.DecodeString(command["data"].(string))
	copy(a.space[int(command["offset"].(float64)):], data)
	return nil, nil""",
        },
        '"length": 0,',
        '"length": 4,',
    ),
}


def need_language(language: str) -> None:
    """Skip without what builds a language, or fail if nothing may be skipped."""
    for program in NEEDS.get(language, ()):
        if not shutil.which(program):
            need(f"{program} is not installed")
    if language == "c" and not JANSSON.exists():
        need("jansson's header is not there (Debian: libjansson-dev)")


def write(language: str, side: Side, directory: Path, *, wrong: bool | None = None) -> str:
    """Write a skeleton, with the small device in it unless ``wrong`` is None, build it, and return its COMMAND."""
    need_language(language)
    made = skeleton(language, side, f"my-{side}")
    for name, text in made.files.items():
        own = wrong is not None and name.startswith("my-")
        (directory / name).write_text(FILLINGS[language].fill(text, wrong=bool(wrong)) if own else text)
    if made.build:
        build(made.build.replace(*STRICT.get(language, ("", ""))), directory)
    return made.command


def build(command: str, directory: Path) -> None:
    """Carry a command out that builds; a compiler of Go finds its cache in the directory."""
    done = subprocess.run(
        shlex.split(command),
        cwd=directory,
        env={**os.environ, "HOME": str(directory), "GOCACHE": str(directory / ".cache")}
        if "go " in command
        else None,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
