# Chromium and its driver, for tests that walk through pages as a person does. Packages only: a test starts its own.
packages_chromium() { echo chromium chromium-driver; }

ports_chromium() { :; }

start_chromium() { [ -x /usr/bin/chromium ] && [ -x /usr/bin/chromedriver ]; }
