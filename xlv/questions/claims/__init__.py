"""The paper's claims, judged by rules fixed beforehand."""
