"""Names that a layer may have: anyone who trains chooses them, and others see them."""

NAMES = {
    "escape sequences": "\x1b[2J\x1b[31mred\x1b]0;title\x07\x9b5n",
    "control characters": "a\x00b\x08c\rd\x7fe\x0b\x85",
    "line breaks": "dense\nNo such finding is open.\n\u2028\u2029",
    "letters turned round": "\u202egnp.exe\u202c\u2066x\u2069",
    "letters that are not seen": "de\u200bn\u00ads\ufeffe",
    "a script": "<script>window.hit = true</script>",
    "an image": "<img src=x onerror='window.hit = true'>",
    "markup of a terminal": "[bold red]dense[/] [link=http://evil.example]x[/link]",
    "markup of a page": "[x](javascript:alert(1)) `a` | b | **c**",
    "a label that ends": 'dense"} 1\ngainstage_trainers 99\\',
    "quotes and backslashes": "\\\"'`\\n\\",
    "a template": "{{ $labels.run }} ${HOME} %s %n",
    "a path": "../../../etc/passwd",
    "4 kB in a thousand characters": "\N{GRINNING FACE}" * 1_000,
    "a noncharacter": "\uffff\U0010ffff\ue000",
    "a blank": " ",
}
