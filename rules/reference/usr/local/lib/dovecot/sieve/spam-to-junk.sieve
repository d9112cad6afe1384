# Runs at delivery, before the user's own script. Compile as root: sievec.
require "fileinto";

if header :is "X-Spam" "yes" {
    fileinto "Junk";
    stop;
}
