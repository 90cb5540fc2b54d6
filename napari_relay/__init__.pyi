from napari_relay.api import (
    FinetuneOptions as FinetuneOptions,
    ObjectOptions as ObjectOptions,
    PredictOptions as PredictOptions,
    Prediction as Prediction,
    Window as Window,
    finetune as finetune,
    load_model as load_model,
    open_image as open_image,
    polygons as polygons,
    predict as predict,
    save as save,
)

__version__: str
