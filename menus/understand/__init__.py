"""Understanding what shoppers write: pure, without a cloud, on words of the shop's own questions and topics."""
