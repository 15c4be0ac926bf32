"""Everything that mends another library, and the only place that may patch one.

One file per gap. Each file says what breaks, in which versions, and when the file may be deleted,
and offers `install()`, which registers its patch with `hooks.when_imported` and imports nothing.
"""

from vitdet.compat import (
    cascade_rpn,
    checkpoint_loading,
    checkpoint_saving,
    class_weights,
    collected_results,
    config_paths,
    config_text,
    cpu_amp,
    deformable_attention,
    distributed_without_gpu,
    library_warnings,
    masks_outside,
    mmcv_ext,
    mmpretrain_multimodal,
    package_paths,
    segmentor_batches,
    ssd_predictions,
    sync_bn_alone,
    torchvision_mismatch,
    yapf_grammar,
)


def install() -> None:
    """Register every patch; costs microseconds and loads none of the libraries concerned."""
    torchvision_mismatch.install()
    yapf_grammar.install()
    mmcv_ext.install()
    package_paths.install()
    checkpoint_loading.install()
    checkpoint_saving.install()
    distributed_without_gpu.install()
    collected_results.install()
    cpu_amp.install()
    segmentor_batches.install()
    library_warnings.install()
    deformable_attention.install()
    config_paths.install()
    config_text.install()
    mmpretrain_multimodal.install()
    cascade_rpn.install()
    sync_bn_alone.install()
    class_weights.install()
    ssd_predictions.install()
    masks_outside.install()
