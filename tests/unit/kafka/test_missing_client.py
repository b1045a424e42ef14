"""Without the Kafka client the error says what to install."""

import subprocess
import sys

PROGRAM = """
import sys
sys.modules["confluent_kafka"] = None
from orderflow.domain.errors import NotConfigured
try:
    import orderflow.adapters.kafka
except NotConfigured as error:
    print(error)
"""


def test_importing_the_adapter_names_the_extra() -> None:
    output = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True).stdout

    assert output.strip() == "the Kafka client is not installed; pip install 'orderflow-service[kafka]'"
