"""What SSIM is defined by; its form in torch and its compiled form both read it here.

Source: Wang, Bovik, Sheikh, Simoncelli, "Image Quality Assessment: From Error Visibility to Structural Similarity",
IEEE TIP 13(4), 2004, section III.C.
"""

# 2⁸ - 1, the largest sample of depth 8 (ISO/IEC 15948, 4.5): the dynamic range of all metrics.
PEAK = 255.0
# They steady the quotients where means or variances vanish.
K1 = 0.01
K2 = 0.03
# scikit-image, structural_similarity: default win_size.
UNIFORM_SIDE_PX = 7
