"""What the load generator's clients do: a photo each time, until all are sent.

Read by locust; `run.py` says in the environment how many and which.
"""

import itertools
import os

from locust import FastHttpUser, constant, task
from locust.exception import StopUser

_PHOTOS = [
    open(path, "rb").read()  # noqa: SIM115
    for path in os.environ["SERVING_PHOTOS"].split(os.pathsep)
]
_NUMBERS = iter(range(int(os.environ["SERVING_REQUESTS"])))
_left = itertools.count(int(os.environ["SERVING_CLIENTS"]) - 1, -1)


class Client(FastHttpUser):
    wait_time = constant(0)

    @task
    def predict(self) -> None:
        number = next(_NUMBERS, None)
        if number is None:
            if next(_left) == 0:
                self.environment.runner.quit()
            raise StopUser
        photo = _PHOTOS[number % len(_PHOTOS)]
        with self.client.post(
            "/predict", files={"image": ("photo.jpg", photo)}, catch_response=True
        ) as response:
            if response.status_code == 200 and "objects" not in response.json():
                response.failure("no answer in it")
