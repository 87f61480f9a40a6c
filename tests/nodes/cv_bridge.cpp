// Converts raw images to rgb8 with cv_bridge, for make_cv_bridge.py: from stdin, for each image,
// "encoding height width step bytes\n" and the bytes; to stdout its rows of RGB.
#include <iostream>

#include <cv_bridge/cv_bridge.hpp>

int main()
{
  sensor_msgs::msg::Image image;
  size_t bytes;
  while (std::cin >> image.encoding >> image.height >> image.width >> image.step >> bytes) {
    std::cin.get();
    image.data.resize(bytes);
    std::cin.read(reinterpret_cast<char *>(image.data.data()), bytes);
    const cv::Mat rgb = cv_bridge::toCvCopy(image, "rgb8")->image;
    std::cout.write(reinterpret_cast<const char *>(rgb.data), rgb.total() * rgb.elemSize());
  }
}
