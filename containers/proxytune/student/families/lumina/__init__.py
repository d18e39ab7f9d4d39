"""The Lumina-mGPT student: a Chameleon transformer over text and VQGAN codes, official in keys and numbers.

    family          LuminaFamily: the family's row in the table
    vocabulary      Vocabulary.from_names(ids): the meaning of ids
    layout          Layout(vocabulary, stride): grid, header, block, tokens, prompt, sequence, forced; Grid
    training_batch  training_batch(layout, grid, prompts, tokens): ids and labels
    transformer     Lumina(chameleon_config(values)): hidden, loss, forward, lora_targets
    weights         expand_norms(weights, heads): norms of the official form, one row per head
    vq              VQGAN(VQGANConfig()): latents, encode, decode
    prompts         PromptEncoder(tokenizer, layout): encode, check_word
    sampling        sample_tokens(model, layout, prompts, grid, seeds, ...): complete images; decode
    checkpoint      Student, load_student(folder, ...), save_student(folder, student)

Nothing is imported here: the transformer imports all of transformers, the layout nothing.
"""
