import torch
from torch import nn

from vitdet.layers.bilstm import BiLSTM, BiLSTM2D


def test_it_is_torchs_lstm_with_the_same_names() -> None:
    theirs = nn.LSTM(6, 4, bidirectional=True)
    ours = BiLSTM(6, 4)
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(5, 3, 6)
    torch.testing.assert_close(ours(x), theirs(x)[0])


def test_columns_and_rows_are_each_a_sequence() -> None:
    layer = BiLSTM2D(6, 4)
    x = torch.randn(2, 3, 5, 6)
    states = torch.empty(2, 3, 5, 16)
    for image in range(2):
        for column in range(5):
            states[image, :, column, :8] = layer.rnn_v(x[image, :, column, None])[:, 0]
        for row in range(3):
            states[image, row, :, 8:] = layer.rnn_h(x[image, row, :, None])[:, 0]
    torch.testing.assert_close(layer(x), layer.fc(states))
