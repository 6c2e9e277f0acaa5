"""From a question to an answer, as CoreDNS's kubernetes plugin gives it. No sockets here."""
