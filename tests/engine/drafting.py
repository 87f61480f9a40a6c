"""Texts by greedy decoding, with drafts."""

from collections.abc import Sequence

from mobilevlm_ros.engine.draft import DraftedText
from mobilevlm_ros.engine.llm import LanguageModel
from mobilevlm_ros.engine.sampling import greedy
from mobilevlm_ros.engine.steps import Part, Task


def generate(
    llm: LanguageModel, sequence: int, prompt: Sequence[int], extend: DraftedText, most: int
) -> Task[list[int]]:
    """At most so many tokens behind the prompt, up to the end token."""
    (rows,) = yield [Part(sequence, prompt)]
    before = llm.length(sequence)
    tokens, said = [greedy(rows[-1])], []
    while True:
        for token in tokens:
            if llm.is_end(token):
                return said
            said.append(token)
        assert len(said) <= most and llm.length(sequence) == before + len(said) - 1
        if len(said) == most or llm.length(sequence) == llm.context_length:
            return said
        tokens = yield from extend(sequence, tokens[-1], greedy, most - len(said))
