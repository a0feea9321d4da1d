"""An item as the model reads it: token ids and strings, and which of them are supervised."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.text import Text

from bsft import config as cfg
from bsft.records.store import Benchmark
from bsft.show.find import Found


@dataclass(frozen=True)
class Token:
    id: int
    text: str


@dataclass(frozen=True)
class Rendered:
    """The sequence that a method trains on; the prompt is not supervised, everything after it is.

    A method that is not fitted has the same sequence, of which it reads the prompt.
    """

    method: str
    model: str
    prompt: Sequence[Token]
    behavior: Token | None
    reply: Sequence[Token]
    dropped_turns: Sequence[int]

    def as_json(self) -> dict[str, object]:
        """Method, model and a flat list of tokens in their order."""
        supervised = [self.behavior, *self.reply] if self.behavior is not None else [*self.reply]
        marked = [(token, False) for token in self.prompt] + [(token, True) for token in supervised]
        return {
            "method": self.method,
            "model": self.model,
            "dropped_turns": list(self.dropped_turns),
            "tokens": [{"id": token.id, "text": token.text, "supervised": on} for token, on in marked],
        }


def render_tokens(found: Found, benchmark: Benchmark, config: cfg.Config) -> Rendered:
    """Renders an item as a job with this config would.

    Raises:
        BadInput: the tokenizer cannot be loaded, or the item does not fit.
    """
    from bsft.data.methods import method_of
    from bsft.data.render import Renderer
    from bsft.data.selection import exemplars_of
    from bsft.data.vocabulary import BehaviorVocabulary
    from bsft.model.tokenizer import load_tokenizer, place_of

    tokenizer = load_tokenizer(config.model, place_of(config.model))
    method = method_of(config.method)
    vocabulary = None
    if method.behavior is not None:
        form = method.behavior.form
        vocabulary = (BehaviorVocabulary.of_words if form == "words" else BehaviorVocabulary.add_to)(tokenizer)
    renderer = Renderer(
        tokenizer,
        method,
        vocabulary=vocabulary,
        exemplars=exemplars_of(benchmark, config, method),
        scene_tokens=config.data.scene_tokens,
        max_length_tokens=config.model.max_length_tokens,
        date=config.model.date,
    )
    example = renderer.example(found.item, found.twin)

    def token(token_id: int) -> Token:
        """With what it stands for; of a part of a character, its name in the vocabulary."""
        text = cast(str, tokenizer.decode([token_id]))
        is_whole = text and "\N{REPLACEMENT CHARACTER}" not in text
        return Token(token_id, text if is_whole else str(tokenizer.convert_ids_to_tokens(token_id)))

    return Rendered(
        method=config.method.name,
        model=config.model.name,
        prompt=[*map(token, example.prompt_ids)],
        behavior=None if example.behavior_id is None else token(example.behavior_id),
        reply=[*map(token, example.answer_ids)],
        dropped_turns=renderer.dropped_turns(found.item, found.twin),
    )


def tokens_view(rendered: Rendered) -> RenderableType:
    """The prompt in grey, then what is supervised in colour, each as strings and as ids."""
    heading = f"tokens of {rendered.model} with method {rendered.method}"
    parts: list[RenderableType] = []
    if rendered.dropped_turns:
        numbers = ", ".join(str(i + 1) for i in rendered.dropped_turns)
        parts.append(Text(f"The scene is too long for data.scene_tokens; turns left out: {numbers}", style="yellow"))
    parts.append(_panel(f"{heading}: prompt, not supervised", rendered.prompt, "bright_black", "dim"))
    if rendered.behavior is not None:
        parts.append(_panel("behaviour token, supervised", [rendered.behavior], "magenta", "bold magenta"))
    parts.append(_panel("reply, supervised", rendered.reply, "green", "green"))
    return Group(*parts)


def _panel(title: str, tokens: Sequence[Token], border: str, style: str) -> Panel:
    strings = Text()
    for i, token in enumerate(tokens):
        if i and not tokens[i - 1].text.endswith("\n"):
            strings.append("│", style="bright_black")
        strings.append(token.text.replace("\n", "⏎\n"), style=style)
    strings.rstrip()
    ids = Text(" ".join(str(token.id) for token in tokens), style="bright_black")
    n = f"{len(tokens):,} token{'s' if len(tokens) != 1 else ''}"
    return Panel(Group(strings, Text(), ids), title=Text(f"{title}: {n}"), title_align="left", border_style=border)
