from napari_relay.api import (
    FinetuneOptions as FinetuneOptions,
)
from napari_relay.api import (
    ObjectOptions as ObjectOptions,
)
from napari_relay.api import (
    Prediction as Prediction,
)
from napari_relay.api import (
    PredictOptions as PredictOptions,
)
from napari_relay.api import (
    Window as Window,
)
from napari_relay.api import (
    finetune as finetune,
)
from napari_relay.api import (
    load_model as load_model,
)
from napari_relay.api import (
    open_image as open_image,
)
from napari_relay.api import (
    polygons as polygons,
)
from napari_relay.api import (
    predict as predict,
)
from napari_relay.api import (
    save as save,
)

__version__: str
