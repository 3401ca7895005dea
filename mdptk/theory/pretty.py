"""Statements as readable text for terminals, from the expressions that are evaluated."""

from __future__ import annotations

import re
from typing import Any
from unicodedata import normalize

import sympy
from sympy.printing.pretty.pretty import PrettyPrinter
from sympy.printing.pretty.pretty_symbology import greek_unicode, sub, sup
from sympy.printing.pretty.stringpict import prettyForm

from mdptk.theory.quantity import Quantity, latex
from mdptk.theory.symbols import LATEX
from mdptk.theory.theorem import Asymptotic, Geometric, InExpectation, Theorem, WithProbability

# what has a character of its own; a command that is not here and no Greek letter is printed by its name
COMMANDS = {
    "|": "‖", "infty": "∞", "sim": " ∼ ", "sum": "∑", "prod": "∏", "leq": " ≤ ", "le": " ≤ ", "geq": " ≥ ", "ge": " ≥ ",
    "cdot": "·", "times": "×", "in": "∈", "forall": "∀", "to": "→", "top": "ᵀ", "star": "*", "ell": "ℓ", "pm": "±",
    "partial": "∂", "nabla": "∇", "sqrt": "√", "ldots": "…", "dots": "…", "neq": "≠", "mid": "|", "langle": "⟨",
    "rangle": "⟩", "lVert": "‖", "rVert": "‖", "lvert": "|", "rvert": "|", "prime": "′", "notin": "∉",
    "setminus": "∖", "sharp": "♯",
}  # fmt: skip
ACCENTS = {"hat": "\u0302", "tilde": "\u0303", "bar": "\u0304", "dot": "\u0307", "widehat": "\u0302"}
SILENT = ("left", "right", "mathrm", "mathbb", "mathcal", "mathbf", "operatorname", "text", "textstyle", "displaystyle")
OPERATORS = ("log", "exp", "max", "min", "sup", "inf", "span", "arg")


def plain(tex: str) -> str:
    r"""LaTeX of a symbol or a quantity in one line of unicode.

    Examples
    --------
    >>> plain(r"V^*(\rho) - V^{\pi_{t}}(\rho)")
    'V*(ρ) − V^πₜ(ρ)'
    >>> plain(r"\|\hat P_k - P\|_1^2")
    '‖P̂ₖ − P‖₁²'
    """
    x = tex.replace(r"\{", "(").replace(r"\}", ")")  # braces group in LaTeX
    x = re.sub(r"\\[td]?frac(\d)(\d)", _fraction, x)
    x = re.sub(r"\\[td]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}", _fraction, x)
    x = re.sub(rf"\\({'|'.join(ACCENTS)})\b\s*(?:\{{\s*(\w)\s*\}}|(\w))", _accented, x)
    x = re.sub(r"\^(\\top|\{\\top\})\s*", "ᵀ ", x)
    x = re.sub(rf"\\({'|'.join(OPERATORS)})\b\s*(?=[A-Za-z0-9\\])", r"\1 ", x)
    x = re.sub(r"\\([;,!: ])", " ", x)
    x = re.sub(r"\\(\||[A-Za-z]+)[ ]?", _command, x)
    x = re.sub(r"_\{([^{}]*)\}|_(\w)", lambda m: _script(m[1] or m[2], sub, "_"), x)
    x = re.sub(r"\^\{([^{}]*)\}|\^([\w*∞])", lambda m: _script(m[1] or m[2], sup, "^"), x)
    x = x.replace("{", "").replace("}", "").replace("-", "−")
    return normalize("NFC", re.sub(r"\s+", " ", x).strip())


def _fraction(m: re.Match[str]) -> str:
    return "/".join(x if len(x) == 1 else f"({x})" for x in m.groups())


def _accented(m: re.Match[str]) -> str:
    return f"{m[2] or m[3]}{ACCENTS[m[1]]}"


def _command(m: re.Match[str]) -> str:
    name = m[1]
    if name in SILENT:
        return ""
    if name in OPERATORS:
        return name
    return COMMANDS.get(name) or greek_unicode.get(name) or f"{name} "


def _script(body: str, table: dict[str, str], mark: str) -> str:
    """`body` as a sub- or superscript: raised characters where unicode has all of them."""
    body = body.strip()
    if mark == "^" and body in ("*", "'"):
        return body
    names = {"β": "beta", "γ": "gamma", "ρ": "rho", "φ": "phi", "χ": "chi", "−": "-"}
    raised = [table.get(names.get(c, c)) for c in body]
    if all(raised):
        return "".join(map(str, raised))
    return f"{mark}{body}" if len(body) == 1 or body.isalnum() else f"{mark}({body})"


class _Printer(PrettyPrinter):
    def _print_Quantity(self, e: Quantity) -> Any:
        text = plain(e.template.replace("%t", "t"))
        single = re.fullmatch(r"[^\s+−·]+|[‖|][^‖|]*[‖|]\S*|V\S*\(\S*\)", text)
        return prettyForm(text, binding=prettyForm.ATOM if single else prettyForm.ADD)

    def _print_Symbol(self, e: sympy.Symbol, bold_name: bool = False) -> Any:
        return prettyForm(plain(LATEX[e])) if e in LATEX else super()._print_Symbol(e, bold_name)


def clock(theorem: Theorem) -> str:
    """The letter of the clock that a statement runs on: K if it counts episodes, else t."""
    return "K" if re.search(r"\bK\b", latex(theorem.lhs) + latex(theorem.rhs)) else "t"


def statement(theorem: Theorem, *, width: int = 120) -> str:
    """The statement of a theorem in two-dimensional unicode, in lines of at most `width` characters."""
    printer = _Printer({"use_unicode": True})
    sign = {"<=": "≤", ">=": "≥", "=": "="}[theorem.relation]
    lhs: Any = printer._print(theorem.lhs)
    rhs: Any = printer._print(theorem.rhs)
    qualifier = ""
    match theorem.holds:
        case Asymptotic(exponent):
            sign, rhs = "=", prettyForm(f"Õ(t^{exponent:g})")
        case Geometric():
            sign, rhs = "=", prettyForm("O(qᵗ), q < 1")
        case InExpectation():
            lhs = prettyForm(*prettyForm(*lhs.parens("[", "]")).left("E"))
        case WithProbability(delta):
            level = sympy.sstr(1 - sympy.sympify(delta), order="rev-lex")
            for word, letter in (("delta", "δ"), ("pi", "π"), ("**", "^"), ("*", " ")):
                level = level.replace(word, letter)
            qualifier = f"\n\nat all {clock(theorem)} at once, with probability at least {level}"
        case _:
            pass
    body = prettyForm(*prettyForm(*lhs.right(f"  {sign}  ")).right(rhs))
    return body.render(num_columns=width, wrap_line=True, use_unicode=True) + qualifier
