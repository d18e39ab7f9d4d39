import json

import pytest
from ministack.services import ecr

MANIFEST = '{"schemaVersion": 2}'


@pytest.fixture
def repository():
    ecr._create_repository({"repositoryName": "images"})
    ecr._put_image({"repositoryName": "images", "imageTag": "pushed", "imageManifest": MANIFEST})
    yield "images"
    ecr._delete_repository({"repositoryName": "images", "force": True})


def describe(repository, *tags):
    ids = [{"imageTag": tag} for tag in tags]
    status, _, body = ecr._describe_images({"repositoryName": repository, "imageIds": ids})
    return status, json.loads(body)


def test_an_image_that_exists_is_described(repository):
    status, answer = describe(repository, "pushed")
    assert status == 200
    assert [image["imageTags"] for image in answer["imageDetails"]] == [["pushed"]]


def test_one_missing_image_fails_the_call(repository):
    status, answer = describe(repository, "pushed", "missing")
    assert status == 400
    assert answer["__type"] == "ImageNotFoundException"
    assert answer["message"] == (
        "The image with imageId {imageDigest:'null', imageTag:'missing'} does not exist within the "
        "repository with name 'images' in the registry with id '000000000000'"
    )


def test_a_missing_repository_keeps_its_own_error():
    status, answer = describe("none", "missing")
    assert (status, answer["__type"]) == (400, "RepositoryNotFoundException")
