"""The Lumina-mGPT student: a Chameleon transformer over text and VQGAN codes, official in keys and numbers.

    vocabulary    Vocabulary.from_names(ids): which ids mean what
    layout        Layout(vocabulary, stride): grid, header, block, codes, prompt, sequence, forced; Grid
    transformer   Lumina(chameleon_config(values)): hidden, loss, forward, lora_targets
    weights       expand_norms(weights, heads): norms of the official form, one row a head
    vq            VQGAN(VQGANConfig()): latents, encode, decode
    prompts       PromptEncoder(tokenizer, layout): encode, check_word
    sampling      sample_codes(model, layout, prompts, grid, seeds, ...): whole pictures; decode, code by code
    checkpoint    Student, load_student(folder, ...), save_student(folder, student)
    memory        fit(lm, batch_size, length, device): whether activations are computed twice
    trainer       LuminaLearner; generator: LuminaMaker: what the family's row in `families` names

Nothing is imported here: the transformer brings all of transformers' with it, the layout nothing.
"""
