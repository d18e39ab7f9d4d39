"""The evaluate job: from the images of the run to report and metrics in the model folder."""

from __future__ import annotations

from proxytune.contract.folders import Folders
from proxytune.contract.names import CHANNELS
from proxytune.contract.plan_file import read_plan
from proxytune.contract.progress import ProgressFile
from proxytune.contract.reference_files import captions_of
from proxytune.contract.signals import StopRequest
from proxytune.contract.types.hyperparameters import EvaluateHyperparameters
from proxytune.evaluation.collect import collect, curated_proxies
from proxytune.evaluation.encoders import load_encoders
from proxytune.evaluation.exact import exact_scorer
from proxytune.evaluation.losses import loss_curves, read_losses
from proxytune.evaluation.metrics_file import build_metrics, write_metrics
from proxytune.evaluation.pictures import ShownPhoto
from proxytune.evaluation.report.curation import show_curation, summary
from proxytune.evaluation.report.page import write_report
from proxytune.evaluation.report.photo_warnings import photo_warnings
from proxytune.evaluation.report.protocol import EncoderInputs
from proxytune.evaluation.report.tensorboard import write_events
from proxytune.evaluation.scoring import encode, score
from proxytune.evaluation.validation import read_validation
from proxytune.masks.photo_masks import mask_words, masks_of


def evaluate(folders: Folders, hyperparameters: EvaluateHyperparameters, stop: StopRequest) -> None:
    """Score the images of the run and write the report.

    Nothing is resumed: a second attempt starts again, which costs minutes. SIGTERM therefore needs no
    handling; the page is written last, so a folder with index.html is complete.

    Args:
        folders: channels plan, references, proxies, samples-teacher, samples-student, clip, dino, and
            curation, validation, the losses, siglip and segmenter where the plan asks for them; outputs go to
            its model folder.
        hyperparameters: of stage evaluate; `seed` is that of the bootstrap, and `mask_prompt` is what the
            segmenter looks for.
        stop: unused, see above.

    Raises:
        ProxytuneError: ChannelMissing, ShardInvalid, ProxiesIncomplete, ModelMismatch, RequestInvalid.
    """
    plan = read_plan(folders.channel(CHANNELS.plan))
    score_exactly = exact_scorer(plan)
    proxies = curated_proxies(folders, plan)
    pictures = collect(folders, plan, proxies)
    report = folders.model
    report.mkdir(parents=True, exist_ok=True)
    progress = ProgressFile(folders.checkpoints, "evaluate", len(pictures))
    progress.write("loading the encoders", 0)
    encoders = load_encoders(folders, hyperparameters, plan["category"], pictures)
    progress.restart_rate(0)
    encoded = encode(pictures, encoders, score_exactly, report, progress)
    scored = score(pictures, encoded, encoders.clip)
    validation = read_validation(folders, plan, report)
    curation = None if proxies is None else show_curation(proxies, report)
    metrics = build_metrics(
        plan,
        scored,
        encoders.record(plan),
        hyperparameters["seed"],
        {
            **({} if validation is None else {"choice": validation.record}),
            **({} if curation is None else {"curation": summary(curation.record)}),
        },
    )
    write_metrics(metrics, report)
    views = [view for picture, view in zip(pictures, encoded.views, strict=True) if picture.row == "photos"]
    channel = folders.channel(CHANNELS.references)
    masks = masks_of(channel, folders.optional_channel(CHANNELS.masks))
    words: list[str | None] = [mask_words(mask) for mask in masks]
    words = words or [None] * len(views)
    references = [ShownPhoto(*one) for one in zip(views, captions_of(channel), words, strict=True)]
    inputs = EncoderInputs(encoders.clip.preprocessing, encoders.dino.preprocessing)
    losses = read_losses(folders)
    write_events(report, losses, None if validation is None else validation.record)
    write_report(
        plan,
        metrics,
        references,
        scored,
        report,
        inputs,
        validation,
        curation,
        photo_warnings(channel),
        loss_curves(losses),
    )
    progress.write("report written", len(pictures))
    print(metrics["verdict"], flush=True)
