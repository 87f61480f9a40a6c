import torch

from mobilevlm_ros.convert.source import Source, load_reference, load_vision
from mobilevlm_ros.model.mobilevlm import MobileVlm


def test_a_trained_checkpoint_is_read_back_whole(source: Source, model: MobileVlm) -> None:
    assert source.geometry == model.geometry
    assert (source.name, source.prompt['head']) == ('small', 'Look: ')
    assert (source.caption, source.license) == ('Describe the scene.', 'Apache-2.0')
    weights = model.named_weights()
    assert source.names() == list(weights)
    assert all(torch.equal(source.read(name), weights[name]) for name in weights)


@torch.no_grad()
def test_the_reference_computes_what_was_saved(source: Source, model: MobileVlm) -> None:
    pixels, tokens = torch.randn(1, 3, 40, 40), torch.tensor([[1, 7, 300]])
    reference = load_reference(source)
    assert torch.equal(reference.encode(pixels), model.encode(pixels))
    assert torch.equal(load_vision(source).encode(pixels), model.encode(pixels))
    assert torch.equal(reference.llama(tokens).logits, model.llama(tokens).logits)
