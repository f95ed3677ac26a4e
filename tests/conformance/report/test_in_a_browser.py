"""The HTML report as a person uses it: opened, filtered, searched and walked through, in headless Chromium."""

from __future__ import annotations

import os
import shutil

import pytest
from run_command import run_command
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

BROKEN = """\
from balloon_conformance.iut.reference.adapter import ReferenceDevice
from balloon_conformance.reference.device import Device


class OnePageMore(Device):
    def discard(self, pages):
        more = type(pages)((run.first, run.count + 1) for run in pages)
        return super().discard(more)


def device():
    return ReferenceDevice(OnePageMore)
"""


@pytest.fixture(scope="module")
def browser():
    missing = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    if missing:
        if os.environ.get("BALLOON_REQUIRE_INTEROP") == "1":
            pytest.fail(f"BALLOON_REQUIRE_INTEROP=1, but {' and '.join(missing)} is not installed")
        pytest.skip(f"{' and '.join(missing)} is not installed; apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for word in ("headless", "no-sandbox", "disable-gpu", "disable-background-networking", "no-first-run"):
        options.add_argument(f"--{word}")
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    driver = webdriver.Chrome(options=options, service=service)
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    directory = tmp_path_factory.mktemp("report")
    (directory / "broken_device.py").write_text(BROKEN)
    ran = run_command(directory, "run", "python:broken_device:device", "-k", "inflate", "--html", "r.html")
    assert ran.code == 1, ran.err
    return directory / "r.html"


@pytest.fixture
def page(browser, report):
    browser.get("about:blank")
    browser.get(report.as_uri())
    return browser


def shown(page):
    return [one for one in page.find_elements(By.CSS_SELECTOR, "section[data-verdict]") if one.is_displayed()]


def box(page, verdict):
    return page.find_element(By.CSS_SELECTOR, f"input[value='{verdict}']")


def test_what_is_broken_is_open_when_the_page_opens(page):
    ids = [one.get_attribute("id") for one in shown(page)]
    assert "INF-08" in ids
    assert page.find_element(By.CSS_SELECTOR, "#INF-08 .finding").is_displayed()


def test_the_verdicts_are_filtered_by_their_boxes(page):
    for verdict in ("kept", "not exercised", "advice"):
        box(page, verdict).click()
    assert {one.get_attribute("data-verdict") for one in shown(page)} == {"broken"}
    count = page.find_element(By.CSS_SELECTOR, "[role=status]").text
    assert count == f"{len(shown(page))} requirements"
    assert len(shown(page)) > 1


def test_a_search_opens_the_area_of_what_it_finds_and_hides_the_rest(page):
    page.find_element(By.TAG_NAME, "body").send_keys("/")
    field = page.switch_to.active_element
    assert field.get_attribute("type") == "search"
    field.send_keys("num_pages units of 4 kib")
    assert [one.get_attribute("id") for one in shown(page)] == ["CFG-11"]
    field.send_keys(Keys.CONTROL, "a")
    field.send_keys("no such words")
    assert shown(page) == []
    assert page.find_element(By.CSS_SELECTOR, "[role=status]").text == "0 requirements"


def test_the_keys_n_and_p_walk_through_the_findings(page):
    findings = page.find_elements(By.CSS_SELECTOR, ".finding")
    assert len(findings) > 1
    body = page.find_element(By.TAG_NAME, "body")
    body.send_keys("n")
    assert page.switch_to.active_element == findings[0]
    page.switch_to.active_element.send_keys("n")
    assert page.switch_to.active_element == findings[1]
    page.switch_to.active_element.send_keys("p")
    assert page.switch_to.active_element == findings[0]


def test_a_link_to_a_requirement_opens_its_area(browser, report):
    browser.get("about:blank")
    browser.get(f"{report.as_uri()}#CFG-11")
    assert browser.find_element(By.ID, "CFG-11").is_displayed()


def test_on_a_phone_nothing_is_wider_than_the_screen(page):
    page.set_window_size(500, 800)
    page.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": 390, "height": 800, "deviceScaleFactor": 2, "mobile": True},
    )
    try:
        assert page.execute_script("return document.documentElement.scrollWidth") <= 390
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_without_the_script_the_page_says_the_same(page):
    page.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        page.refresh()
        assert not page.find_element(By.CSS_SELECTOR, "form.filter").is_displayed()
        assert page.find_element(By.CSS_SELECTOR, "#INF-08 .finding").is_displayed()
    finally:
        page.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
